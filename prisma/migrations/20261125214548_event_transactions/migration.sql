-- What happened in a tenant since a snapshot of the database is found by the transactions that wrote it.
-- Written by Prisma's schema engine. Events of before get the transaction of this migration: every later snapshot holds it.
-- The index by time goes: nothing read it, and the log of a tenant is read in the order of its transactions.
DROP INDEX "group_events_tenant_id_occurred_at_id_idx";
DROP INDEX "group_events_group_id_membership_version_idx";

ALTER TABLE "group_events" DROP COLUMN "membership_version",
ADD COLUMN     "transaction_id" xid8 NOT NULL DEFAULT pg_current_xact_id();

CREATE INDEX "group_events_tenant_id_transaction_id_idx" ON "group_events"("tenant_id", "transaction_id");
