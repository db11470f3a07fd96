-- Distributes an empty directory over the nodes of Citus 13, one tenant to one shard. Run it once with psql, on the coordinator,
-- after `npm run migrate` has made the tables and before anything is imported; then start the servers. See operations.md.
\set ON_ERROR_STOP on

CREATE EXTENSION IF NOT EXISTS citus;

BEGIN;

-- Foreign keys from tables that are not distributed yet would refuse each step: they are taken away first, and come back last.
ALTER TABLE tenants DROP CONSTRAINT tenants_partner_id_fkey;
ALTER TABLE tenant_logs DROP CONSTRAINT tenant_logs_tenant_id_fkey;
ALTER TABLE users DROP CONSTRAINT users_tenant_id_fkey;
ALTER TABLE groups DROP CONSTRAINT groups_tenant_id_fkey, DROP CONSTRAINT groups_tenant_id_parent_group_id_fkey;
ALTER TABLE memberships DROP CONSTRAINT memberships_tenant_id_group_id_fkey, DROP CONSTRAINT memberships_tenant_id_user_id_fkey;
ALTER TABLE nestings DROP CONSTRAINT nestings_tenant_id_parent_group_id_fkey, DROP CONSTRAINT nestings_tenant_id_child_group_id_fkey;

-- On every node: partners, which belong to no tenant, and the list of applied migrations.
SELECT create_reference_table('partners');
SELECT create_reference_table('_prisma_migrations');

-- By tenant, all in one group of shards: what a tenant has is on one node.
SELECT create_distributed_table('tenants', 'id');
SELECT create_distributed_table('tenant_logs', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('changes', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('users', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('groups', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('memberships', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('nestings', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('membership_history', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('nesting_history', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('group_history', 'tenant_id', colocate_with => 'tenants');
SELECT create_distributed_table('user_history', 'tenant_id', colocate_with => 'tenants');

-- By id: unique across tenants, and tells where to look.
SELECT create_distributed_table('ids', 'id', colocate_with => 'none');

ALTER TABLE tenants ADD CONSTRAINT tenants_partner_id_fkey FOREIGN KEY (partner_id) REFERENCES partners (id);
ALTER TABLE tenant_logs ADD CONSTRAINT tenant_logs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE users ADD CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE groups ADD CONSTRAINT groups_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id);
ALTER TABLE groups ADD CONSTRAINT groups_tenant_id_parent_group_id_fkey
    FOREIGN KEY (tenant_id, parent_group_id) REFERENCES groups (tenant_id, id);
ALTER TABLE memberships ADD CONSTRAINT memberships_tenant_id_group_id_fkey
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id);
ALTER TABLE memberships ADD CONSTRAINT memberships_tenant_id_user_id_fkey
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id);
ALTER TABLE nestings ADD CONSTRAINT nestings_tenant_id_parent_group_id_fkey
    FOREIGN KEY (tenant_id, parent_group_id) REFERENCES groups (tenant_id, id);
ALTER TABLE nestings ADD CONSTRAINT nestings_tenant_id_child_group_id_fkey
    FOREIGN KEY (tenant_id, child_group_id) REFERENCES groups (tenant_id, id);

COMMIT;
