-- Groups by the time of their last change. A change of members touches no column of the index.
CREATE INDEX "groups_tenant_id_updated_at_id_idx" ON "groups"("tenant_id", "updated_at", "id");
-- Users by name, those without one by their email address: an expression, as the schema cannot say.
CREATE INDEX "users_name_idx" ON "users"("tenant_id", (coalesce(nullif(split_part("search_key", chr(10), 2), ''), "search_key")), "id") WHERE "until" IS NULL;
-- Tenants are searched by name and slug. The first start writes the keys, with those of groups and users.
ALTER TABLE "tenants" ADD COLUMN "search_key" TEXT NOT NULL DEFAULT '';
-- Deleted groups, latest first. Partial, as the schema cannot say.
CREATE INDEX "groups_deleted_idx" ON "groups"("tenant_id", "deleted_at", "id") WHERE "deleted_at" IS NOT NULL;
-- End users search the name within the search key, which has an index of its own.
DROP INDEX "groups_name_key_trgm_idx";
