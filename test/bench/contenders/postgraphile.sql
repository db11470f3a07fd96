-- What an engineer who knows PostGraphile would add to serve this directory: lists with their page inside the function, so
-- that the planner stops early, each count apart, and plain lists (no connections) of them. The stored member_count is a
-- column. Functions of the writes are made from contenders/statements.ts.

create function groups_counted_nested_groups(g groups) returns int stable language sql as
$$ select count(*)::int from nestings n where n.tenant_id = g.tenant_id and n.parent_group_id = g.id $$;

create function groups_nested_groups(g groups, up_to int) returns setof groups stable language sql rows 5 as
$$ select c.* from nestings n join groups c on c.tenant_id = n.tenant_id and c.id = n.child_group_id
   where n.tenant_id = g.tenant_id and n.parent_group_id = g.id and c.deleted_at is null order by c.name_key, c.id limit up_to $$;

create function groups_direct_members(g groups, up_to int) returns setof users stable language sql rows 10 as
$$ select u.* from memberships m join users u on u.tenant_id = m.tenant_id and u.id = m.user_id
   where m.tenant_id = g.tenant_id and m.group_id = g.id order by m.user_id limit up_to $$;

create function groups_effective_members(g groups, up_to int) returns setof users stable language sql rows 20 as
$$ with recursive reach(id) as (
     select g.id
     union
     select n.child_group_id from reach join nestings n on n.tenant_id = g.tenant_id and n.parent_group_id = reach.id),
   page as materialized (select distinct m.user_id from reach join memberships m
     on m.tenant_id = g.tenant_id and m.group_id = reach.id order by 1 limit up_to)
   select u.* from page join users u on u.tenant_id = g.tenant_id and u.id = page.user_id order by u.id $$;

create function groups_effective_member_count(g groups) returns int stable language sql as
$$ with recursive reach(id) as (
     select g.id
     union
     select n.child_group_id from reach join nestings n on n.tenant_id = g.tenant_id and n.parent_group_id = reach.id)
   select count(*)::int from (select 1 from reach join memberships m
     on m.tenant_id = g.tenant_id and m.group_id = reach.id group by m.user_id) members $$;

create function users_effective_groups(u users, up_to int) returns setof groups stable language sql rows 20 as
$$ with recursive up(id) as (
     select m.group_id from memberships m where m.tenant_id = u.tenant_id and m.user_id = u.id
     union
     select n.parent_group_id from up join nestings n on n.tenant_id = u.tenant_id and n.child_group_id = up.id)
   select g.* from up join groups g on g.tenant_id = u.tenant_id and g.id = up.id
   where g.deleted_at is null order by g.name_key, g.id limit up_to $$;

create function users_effective_group_count(u users) returns int stable language sql as
$$ with recursive up(id) as (
     select m.group_id from memberships m where m.tenant_id = u.tenant_id and m.user_id = u.id
     union
     select n.parent_group_id from up join nestings n on n.tenant_id = u.tenant_id and n.child_group_id = up.id)
   select count(*)::int from up join groups g on g.tenant_id = u.tenant_id and g.id = up.id where g.deleted_at is null $$;

create function search_groups(tenant text, term text, up_to int) returns setof groups stable language sql rows 20 as
$$ select g.* from groups g where g.tenant_id = tenant and g.deleted_at is null
   and g.search_key like '%' || replace(replace(replace(lower(term), '\', '\\'), '%', '\%'), '_', '\_') || '%'
   order by g.name_key, g.id limit up_to $$;

create function search_groups_count(tenant text, term text) returns int stable language sql as
$$ select count(*)::int from groups g where g.tenant_id = tenant and g.deleted_at is null
   and g.search_key like '%' || replace(replace(replace(lower(term), '\', '\\'), '%', '\%'), '_', '\_') || '%' $$;

create function groups_by_ids(tenant text, ids text[]) returns setof groups stable language sql rows 100 as
$$ select g.* from unnest(ids) with ordinality k(id, o) join groups g on g.tenant_id = tenant and g.id = k.id
   where g.deleted_at is null order by k.o $$;

comment on function groups_nested_groups(groups, int) is '@behavior -connection +list';
comment on function groups_direct_members(groups, int) is '@behavior -connection +list';
comment on function groups_effective_members(groups, int) is '@behavior -connection +list';
comment on function users_effective_groups(users, int) is '@behavior -connection +list';
comment on function search_groups(text, text, int) is '@behavior -connection +list';
comment on function groups_by_ids(text, text[]) is '@behavior -connection +list';

-- Lists of live groups by name, by keyset: PostGraphile offers conditions and orders only on leading columns of an
-- index unless it is told that the composite indexes serve these.
comment on column groups.deleted_at is '@behavior +attribute:filterBy';
comment on column groups.name_key is '@behavior +attribute:orderBy';
