-- What a restore undoes: the nestings that ORPHAN put in a group's place, and the children that it moved up; and which
-- memberships were of a user that was removed since. Written by Prisma's schema engine, then edited by hand.
ALTER TABLE "nestings" ADD COLUMN "stands_for" TEXT[] COLLATE "C";
ALTER TABLE "nesting_history" ADD COLUMN "stands_for" TEXT[] COLLATE "C";
ALTER TABLE "groups" ADD COLUMN "moved_by" TEXT[] COLLATE "C", ADD COLUMN "moved_children" TEXT[] COLLATE "C";
ALTER TABLE "membership_history" ADD COLUMN "user_removed" BOOLEAN NOT NULL DEFAULT false;

-- Those of one restored deletion are found without reading a tenant's nestings. Partial, as the schema cannot say.
CREATE INDEX "nestings_stands_for_idx" ON "nestings"("tenant_id") WHERE "stands_for" IS NOT NULL;

-- Deletions of before: what one transaction wrote bears its time, and its events tell the rest.
UPDATE "nestings" n SET "stands_for" = ARRAY[g."deletion_id"]
FROM "group_events" e JOIN "groups" g ON g."tenant_id" = e."tenant_id" AND g."id" = e."data"->>'through' AND g."deleted_at" = e."occurred_at"
WHERE e."event_type" = 'group_nesting.added' AND n."tenant_id" = e."tenant_id" AND n."parent_group_id" = e."group_id"
  AND n."created_at" = e."occurred_at" AND e."data"->'childGroupIds' ? n."child_group_id";

UPDATE "groups" c SET "moved_by" = ARRAY[g."deletion_id"]
FROM "group_events" e JOIN "groups" g ON g."tenant_id" = e."tenant_id" AND g."id" = e."data"->'before'->>'parentGroupId' AND g."deleted_at" = e."occurred_at"
WHERE e."event_type" = 'group.updated' AND c."tenant_id" = e."tenant_id" AND c."id" = e."group_id"
  AND c."parent_group_id" IS NOT DISTINCT FROM g."parent_group_id";

UPDATE "groups" g SET "moved_children" = m."ids"
FROM (
  SELECT g."tenant_id", g."id", array_agg(DISTINCT e."group_id") AS "ids"
  FROM "group_events" e JOIN "groups" g ON g."tenant_id" = e."tenant_id" AND g."id" = e."data"->'before'->>'parentGroupId' AND g."deleted_at" = e."occurred_at"
  WHERE e."event_type" = 'group.updated' GROUP BY g."tenant_id", g."id") m
WHERE g."tenant_id" = m."tenant_id" AND g."id" = m."id";

UPDATE "membership_history" h SET "user_removed" = true
WHERE h."deletion_id" IS NOT NULL AND NOT EXISTS (
  SELECT FROM "users" u WHERE u."tenant_id" = h."tenant_id" AND u."id" = h."user_id" AND u."created_at" <= h."ended_at");
