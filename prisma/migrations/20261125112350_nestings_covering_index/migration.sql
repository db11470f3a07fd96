-- What is nested in a group is read, counted and walked within the index, tenant included.
CREATE INDEX "nestings_parent_group_id_child_group_id_tenant_id_idx" ON "nestings"("parent_group_id", "child_group_id", "tenant_id");
