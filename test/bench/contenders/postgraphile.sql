-- What an engineer who serves this directory with PostGraphile would add to it: counts, lists in their order, and
-- effective members, as functions that it turns into fields. Counts are inlined by the planner.

create function groups_counted_members(g groups) returns int stable language sql as
$$ select count(*)::int from memberships m where m.tenant_id = g.tenant_id and m.group_id = g.id $$;

create function groups_counted_nested_groups(g groups) returns int stable language sql as
$$ select count(*)::int from nestings n where n.tenant_id = g.tenant_id and n.parent_group_id = g.id $$;

create function groups_nested_groups(g groups) returns setof groups stable language sql rows 10 as
$$ select c.* from nestings n join groups c on c.tenant_id = n.tenant_id and c.id = n.child_group_id
   where n.tenant_id = g.tenant_id and n.parent_group_id = g.id and c.deleted_at is null order by c.name_key, c.id $$;

create function groups_direct_members(g groups) returns setof users stable language sql rows 50 as
$$ select u.* from memberships m join users u on u.tenant_id = m.tenant_id and u.id = m.user_id
   where m.tenant_id = g.tenant_id and m.group_id = g.id order by m.user_id $$;

create function groups_effective_members(g groups) returns setof users stable language sql rows 1000 as
$$ with recursive reach(id) as (
     select g.id
     union
     select n.child_group_id from reach join nestings n on n.tenant_id = g.tenant_id and n.parent_group_id = reach.id)
   select u.* from users u where u.tenant_id = g.tenant_id and u.id in (
     select m.user_id from reach join memberships m on m.tenant_id = g.tenant_id and m.group_id = reach.id) order by u.id $$;

create function users_effective_groups(u users) returns setof groups stable language sql rows 100 as
$$ with recursive up(id) as (
     select m.group_id from memberships m where m.tenant_id = u.tenant_id and m.user_id = u.id
     union
     select n.parent_group_id from up join nestings n on n.tenant_id = u.tenant_id and n.child_group_id = up.id)
   select g.* from up join groups g on g.tenant_id = u.tenant_id and g.id = up.id
   where g.deleted_at is null order by g.name_key, g.id $$;

create function search_groups(tenant text, term text) returns setof groups stable language sql rows 20 as
$$ select g.* from groups g where g.tenant_id = tenant and g.deleted_at is null
   and g.search_key like '%' || replace(replace(replace(lower(term), '\', '\\'), '%', '\%'), '_', '\_') || '%'
   order by g.name_key, g.id $$;

create function groups_by_ids(tenant text, ids text[]) returns setof groups stable language sql rows 100 as
$$ select g.* from unnest(ids) with ordinality k(id, o) join groups g on g.tenant_id = tenant and g.id = k.id
   where g.deleted_at is null order by k.o $$;

-- Adds a member and appends the change to the log in one transaction, as Coterie does.
create function add_group_member(tenant text, group_id text, user_id text) returns text volatile language plpgsql as
$$
declare log tenant_logs;
begin
  update tenant_logs l set position = l.position + 1, change_id = gen_random_uuid(), at = greatest(l.at, clock_timestamp())
  where l.tenant_id = tenant returning * into log;
  perform from groups g where g.tenant_id = tenant and g.id = add_group_member.group_id and g.deleted_at is null;
  if not found then raise exception 'no such group'; end if;
  insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
  values (tenant, add_group_member.group_id, add_group_member.user_id, log.position, log.at, 'bench') on conflict do nothing;
  if not found then return null; end if;
  insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, user_ids, data)
  values (tenant, log.position, 0, log.change_id, log.at, 'group_membership.added', 'bench', 'user', add_group_member.group_id,
    array[add_group_member.user_id], '{}');
  return add_group_member.user_id;
end
$$;

-- Lists of live groups by name, by keyset: PostGraphile offers conditions and orders only on leading columns of an
-- index unless it is told that the composite indexes serve these.
comment on column groups.deleted_at is '@behavior +attribute:filterBy';
comment on column groups.name_key is '@behavior +attribute:orderBy';
