-- The rules that the case keys of a tenant follow: the number of the rules in the source, then the version of Unicode. Empty:
-- unknown, as of all tenants that are here; the next start compares their keys.
ALTER TABLE "tenants" ADD COLUMN "key_rules" INTEGER[] NOT NULL DEFAULT '{}', DROP COLUMN "stale_keys";

-- Databases that applied earlier texts of `counts_and_covering_indexes` and `undo_of_orphan` have no such table, and nothing to
-- backfill: those migrations did it.
CREATE TABLE IF NOT EXISTS "backfills" (
    "name" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "backfills_pkey" PRIMARY KEY ("name")
);
