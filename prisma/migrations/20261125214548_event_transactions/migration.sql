-- Events of a tenant since a snapshot of the database are found by the transactions that wrote them.
-- Written by Prisma's schema engine. Earlier events get the transaction of this migration, which every later snapshot includes.
-- A later migration builds the index by transaction, without the lock of this one. The index by time goes: nothing read it.
DROP INDEX "group_events_tenant_id_occurred_at_id_idx";
DROP INDEX IF EXISTS "group_events_group_id_membership_version_idx";

ALTER TABLE "group_events" DROP COLUMN "membership_version",
ADD COLUMN     "transaction_id" xid8 NOT NULL DEFAULT pg_current_xact_id();
