// The migrated database that test files clone.

/**
 * What rows that tests write by SQL get here alone, as a change would have given it to them: a log for each tenant, the tenant
 * of each id, and edges and users that began before the first change.
 */
export const DEFAULTS = `
  alter table users alter column since set default 0;
  alter table memberships alter column since set default 0, alter column added_at set default now();
  alter table nestings alter column since set default 0, alter column created_at set default now();
  create function own_id() returns trigger language plpgsql as $$
    begin insert into ids values (new.id, new.tenant_id) on conflict do nothing; return null; end $$;
  create trigger own_id after insert on users for each row execute function own_id();
  create trigger own_id after insert on groups for each row execute function own_id();
  create function begin_log() returns trigger language plpgsql as $$
    begin insert into tenant_logs (tenant_id) values (new.id) on conflict do nothing; return null; end $$;
  create trigger begin_log after insert on tenants for each row execute function begin_log();`;

/** Nothing may be connected to it while it is cloned. */
export const TEMPLATE = 'coterie_template';
