-- A search is within a tenant: one index holds both, so that neither a common text nor a large tenant is read whole.
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- New indexes are built before the old ones are dropped: to drop one keeps readers out until the migration ends.
CREATE INDEX "groups_search_idx" ON "groups" USING gin ("tenant_id", "search_key" gin_trgm_ops) WHERE "deleted_at" IS NULL;
-- Partial in name only, as every search implies it: the schema has no word for an index with the operator class of an extension.
CREATE INDEX "users_search_idx" ON "users" USING gin ("tenant_id", "search_key" gin_trgm_ops) WHERE "search_key" IS NOT NULL;

DROP INDEX "groups_search_key_trgm_idx";
DROP INDEX "users_search_key_trgm_idx";
