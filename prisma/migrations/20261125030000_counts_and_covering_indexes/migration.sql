-- What a read needs stands where it is looked up. Written by Prisma's schema engine, then edited by hand: the
-- filling of pages cannot be said in schema.prisma.

-- Direct members of a group, kept by every statement that changes memberships; and how often they changed, by which a
-- count that was derived from several groups is known to hold still. `check-directory` compares the counts.
ALTER TABLE "groups" ADD COLUMN "member_count" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "membership_version" BIGINT NOT NULL DEFAULT 0;
-- How often the nestings of a tenant changed; its row is their lock, so nothing waits for this that did not before.
ALTER TABLE "tenants" ADD COLUMN "nesting_version" BIGINT NOT NULL DEFAULT 0;

-- Room in each page for the next version of its rows: no index has to be touched when only the counts change.
ALTER TABLE "groups" SET (fillfactor = 80);

UPDATE "groups" g SET "member_count" = m.n
FROM (SELECT "group_id", count(*)::int AS n FROM "memberships" GROUP BY "group_id") m WHERE m."group_id" = g."id";

-- Walks from a user to its groups, and from a group to those it is nested in, by the index alone.
DROP INDEX "memberships_user_id_group_id_idx";
CREATE INDEX "memberships_user_id_group_id_tenant_id_idx" ON "memberships"("user_id", "group_id", "tenant_id");
DROP INDEX "nestings_child_group_id_parent_group_id_idx";
CREATE INDEX "nestings_child_group_id_parent_group_id_tenant_id_idx" ON "nestings"("child_group_id", "parent_group_id", "tenant_id");
