-- What an engineer who serves this directory with PostGraphile would add to it: counts, lists in their order, and
-- effective members, as functions that it turns into fields. Counts are inlined by the planner.

create function groups_counted_members(g groups) returns int stable language sql as
$$ select count(*)::int from memberships m where m.group_id = g.id $$;

create function groups_counted_nested_groups(g groups) returns int stable language sql as
$$ select count(*)::int from nestings n where n.parent_group_id = g.id $$;

create function groups_nested_groups(g groups) returns setof groups stable language sql rows 10 as
$$ select c.* from nestings n join groups c on c.id = n.child_group_id
   where n.parent_group_id = g.id and c.deleted_at is null order by c.name_key, c.id $$;

create function groups_direct_members(g groups) returns setof users stable language sql rows 50 as
$$ select u.* from memberships m join users u on u.id = m.user_id where m.group_id = g.id order by m.user_id $$;

create function groups_effective_members(g groups) returns setof users stable language sql rows 1000 as
$$ with recursive reach(id) as (
     select g.id
     union
     select n.child_group_id from reach join nestings n on n.parent_group_id = reach.id)
   select u.* from users u
   where u.id in (select m.user_id from reach join memberships m on m.group_id = reach.id) order by u.id $$;

create function users_effective_groups(u users) returns setof groups stable language sql rows 100 as
$$ with recursive up(id) as (
     select m.group_id from memberships m where m.user_id = u.id
     union
     select n.parent_group_id from up join nestings n on n.child_group_id = up.id)
   select g.* from up join groups g on g.id = up.id where g.deleted_at is null order by g.name_key, g.id $$;

create function search_groups(tenant text, term text) returns setof groups stable language sql rows 20 as
$$ select g.* from groups g where g.tenant_id = tenant and g.deleted_at is null
   and g.search_key like '%' || replace(replace(replace(lower(term), '\', '\\'), '%', '\%'), '_', '\_') || '%'
   order by g.name_key, g.id $$;

create function groups_by_ids(ids text[]) returns setof groups stable language sql rows 100 as
$$ select g.* from unnest(ids) with ordinality k(id, o) join groups g on g.id = k.id
   where g.deleted_at is null order by k.o $$;

-- Adds a member and appends the event in one transaction, as Coterie does.
create function add_group_member(group_id text, user_id text) returns text volatile language plpgsql as
$$
declare tenant text;
begin
  select g.tenant_id into tenant from groups g
  where g.id = add_group_member.group_id and g.deleted_at is null for share;
  if tenant is null then raise exception 'no such group'; end if;
  insert into memberships (tenant_id, group_id, user_id, added_by)
  values (tenant, add_group_member.group_id, add_group_member.user_id, 'bench') on conflict do nothing;
  if not found then return null; end if;
  insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
  values ('group_membership.added', tenant, add_group_member.group_id, 'bench', 'user',
    jsonb_build_object('userIds', jsonb_build_array(add_group_member.user_id)));
  return add_group_member.user_id;
end
$$;

-- Lists of live groups by name, by keyset: PostGraphile offers conditions and orders only on leading columns of an
-- index unless it is told that the composite indexes serve these.
comment on column groups.deleted_at is '@behavior +attribute:filterBy';
comment on column groups.name_key is '@behavior +attribute:orderBy';
