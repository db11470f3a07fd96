-- Columns and indexes that reads use. Written by Prisma's schema engine, then edited by hand: the filling of pages cannot be
-- said in schema.prisma.

-- Index-only scans from a user to its groups, and from a group to those it is nested in. New indexes are built before a
-- statement takes a lock that keeps readers out.
CREATE INDEX "memberships_user_id_group_id_tenant_id_idx" ON "memberships"("user_id", "group_id", "tenant_id");
CREATE INDEX "nestings_child_group_id_parent_group_id_tenant_id_idx" ON "nestings"("child_group_id", "parent_group_id", "tenant_id");
DROP INDEX "memberships_user_id_group_id_idx";
DROP INDEX "nestings_child_group_id_parent_group_id_idx";

-- Direct members of each group, maintained by every statement that changes memberships; and the number of those changes,
-- which validates cached counts. `check-directory` compares the counts.
ALTER TABLE "groups" ADD COLUMN "member_count" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "membership_version" BIGINT NOT NULL DEFAULT 0;
-- The number of changes of a tenant's nestings. Its row is their lock, so no change waits for this that did not before.
ALTER TABLE "tenants" ADD COLUMN "nesting_version" BIGINT NOT NULL DEFAULT 0;

-- Room in each page for the next version of its rows: no index is touched when only the counts change.
ALTER TABLE "groups" SET (fillfactor = 80);

-- Changes of many rows that the next start makes, in chunks: a migration would hold its locks all the while.
CREATE TABLE "backfills" (
    "name" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "backfills_pkey" PRIMARY KEY ("name")
);
INSERT INTO "backfills" ("name") VALUES ('member_counts');
