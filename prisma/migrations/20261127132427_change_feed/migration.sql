-- The log is read by group, and by type in the order of positions.
CREATE INDEX "changes_tenant_id_group_id_position_ordinal_idx" ON "changes"("tenant_id", "group_id", "position", "ordinal");
CREATE INDEX "changes_tenant_id_type_position_ordinal_idx" ON "changes"("tenant_id", "type", "position", "ordinal");
-- Changes of users, by user: for the history of a user, and for the erasure of personal data. Partial, as the schema cannot say.
DROP INDEX "changes_users_idx";
CREATE INDEX "changes_users_idx" ON "changes" USING gin ("tenant_id", "user_ids") WHERE "group_id" IS NULL;
