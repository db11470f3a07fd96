-- What a restore undoes: the nestings that ORPHAN put in a group's place, and the children that it moved up; and which
-- memberships were of a user that was removed since. Written by Prisma's schema engine, then edited by hand.
ALTER TABLE "nestings" ADD COLUMN "stands_for" TEXT[] COLLATE "C";
ALTER TABLE "nesting_history" ADD COLUMN "stands_for" TEXT[] COLLATE "C";
ALTER TABLE "groups" ADD COLUMN "moved_by" TEXT[] COLLATE "C", ADD COLUMN "moved_children" TEXT[] COLLATE "C";
ALTER TABLE "membership_history" ADD COLUMN "user_removed" BOOLEAN NOT NULL DEFAULT false;

-- Those of a restored deletion are found without reading a tenant's nestings. Partial, as the schema cannot say; empty at first.
CREATE INDEX "nestings_stands_for_idx" ON "nestings"("tenant_id") WHERE "stands_for" IS NOT NULL;

-- The next start fills the columns for earlier deletions, in chunks.
CREATE TABLE IF NOT EXISTS "backfills" (
    "name" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "backfills_pkey" PRIMARY KEY ("name")
);
INSERT INTO "backfills" ("name") VALUES ('undo_of_orphan');
