-- One clock: each change takes the next position of its tenant's log, and edges hold the positions from which and until which
-- they are. Keys begin with the tenant. Unlike other migrations this one rewrites rows, in one transaction: servers of the
-- version before can use none of these tables, so they are stopped first. The work grows with the number of memberships.

-- What an earlier migration left to the next start, if there was none: what deletions by ORPHAN in the last 30 days put in a
-- group's place. An event belongs to the deletion of a group if it occurred exactly when the group was deleted.
UPDATE "nestings" n SET "stands_for" = ARRAY[g."deletion_id"]
FROM "group_events" e
JOIN "groups" g ON g."tenant_id" = e."tenant_id" AND g."id" = e."data"->>'through' AND g."deleted_at" = e."occurred_at"
CROSS JOIN LATERAL jsonb_array_elements_text(e."data"->'childGroupIds') c("child")
WHERE EXISTS (SELECT FROM "backfills" WHERE "name" = 'undo_of_orphan') AND e."event_type" = 'group_nesting.added'
    AND e."occurred_at" > now() - interval '30 days' AND n."tenant_id" = g."tenant_id" AND n."parent_group_id" = e."group_id"
    AND n."child_group_id" = c."child" AND n."created_at" = g."deleted_at" AND n."stands_for" IS NULL;
CREATE TEMPORARY TABLE "moves" ON COMMIT DROP AS
SELECT e."tenant_id", g."id" AS "deleted", g."parent_group_id", g."deletion_id", g."deleted_at", e."group_id" AS "child"
FROM "group_events" e
JOIN "groups" g ON g."tenant_id" = e."tenant_id" AND g."id" = e."data"->'before'->>'parentGroupId' AND g."deleted_at" = e."occurred_at"
WHERE EXISTS (SELECT FROM "backfills" WHERE "name" = 'undo_of_orphan') AND e."event_type" = 'group.updated'
    AND e."occurred_at" > now() - interval '30 days';
UPDATE "groups" c SET "moved_by" = ARRAY[d."deletion_id"]
FROM (
    SELECT DISTINCT ON (m."tenant_id", m."child") m.* FROM "moves" m
    JOIN "groups" c ON c."tenant_id" = m."tenant_id" AND c."id" = m."child"
        AND c."parent_group_id" IS NOT DISTINCT FROM m."parent_group_id"
    ORDER BY m."tenant_id", m."child", m."deleted_at" DESC
) d
WHERE c."tenant_id" = d."tenant_id" AND c."id" = d."child" AND NOT EXISTS (
    SELECT FROM "groups" o WHERE o."tenant_id" = c."tenant_id" AND o."deletion_id" = ANY(c."moved_by") AND o."deleted_at" >= d."deleted_at");
UPDATE "groups" g SET "moved_children" = ARRAY(
    SELECT DISTINCT "child" FROM unnest(g."moved_children" || d."children") m("child") ORDER BY "child")
FROM (SELECT "tenant_id", "deleted", array_agg("child") AS "children" FROM "moves" GROUP BY 1, 2) d
WHERE g."tenant_id" = d."tenant_id" AND g."id" = d."deleted";

-- Every moment at which something happened, by the times that rows have. Transactions of one millisecond share a position.
CREATE TEMPORARY TABLE "moments" ON COMMIT DROP AS
SELECT "tenant_id", "at", row_number() OVER (PARTITION BY "tenant_id" ORDER BY "at") AS "position"
FROM (
    SELECT "tenant_id", "created_at" AS "at" FROM "users"
    UNION SELECT "tenant_id", "added_at" FROM "memberships"
    UNION SELECT "tenant_id", "created_at" FROM "nestings"
    UNION SELECT "tenant_id", "added_at" FROM "membership_history"
    UNION SELECT "tenant_id", "ended_at" FROM "membership_history"
    UNION SELECT "tenant_id", "created_at" FROM "nesting_history"
    UNION SELECT "tenant_id", "ended_at" FROM "nesting_history"
    UNION SELECT "tenant_id", "occurred_at" FROM "group_events"
) m;
CREATE UNIQUE INDEX ON "moments"("tenant_id", "at") INCLUDE ("position");
ANALYZE "moments";

-- Intervals of one pair in the order of their ends: the time of a change was that of its transaction's start, so some ended
-- before they began, or began before the one before had ended. Each bound is moved to the next position after the last one.
CREATE TEMPORARY TABLE "membership_intervals" ON COMMIT DROP AS
SELECT *, "raised" + "n" AS "bound" FROM (
    SELECT *, max("position" - "n") OVER (PARTITION BY "tenant_id", "group_id", "user_id" ORDER BY "n") AS "raised" FROM (
        SELECT b.*, m."position", row_number() OVER (
            PARTITION BY b."tenant_id", b."group_id", b."user_id" ORDER BY b."ended_at" NULLS LAST, b."added_at", b."id", b."is_end") AS "n"
        FROM (
            SELECT h."tenant_id", h."group_id", h."user_id", h."id", h."added_at", h."ended_at", e."is_end",
                CASE WHEN e."is_end" THEN h."ended_at" ELSE h."added_at" END AS "at"
            FROM "membership_history" h CROSS JOIN (VALUES (false), (true)) e("is_end")
            UNION ALL
            SELECT c."tenant_id", c."group_id", c."user_id", NULL, c."added_at", NULL, false, c."added_at" FROM "memberships" c
            WHERE EXISTS (SELECT FROM "membership_history" h
                WHERE h."tenant_id" = c."tenant_id" AND h."group_id" = c."group_id" AND h."user_id" = c."user_id")
        ) b JOIN "moments" m ON m."tenant_id" = b."tenant_id" AND m."at" = b."at"
    ) numbered
) lifted;
CREATE TEMPORARY TABLE "nesting_intervals" ON COMMIT DROP AS
SELECT *, "raised" + "n" AS "bound" FROM (
    SELECT *, max("position" - "n") OVER (PARTITION BY "tenant_id", "parent_group_id", "child_group_id" ORDER BY "n") AS "raised" FROM (
        SELECT b.*, m."position", row_number() OVER (
            PARTITION BY b."tenant_id", b."parent_group_id", b."child_group_id"
            ORDER BY b."ended_at" NULLS LAST, b."created_at", b."id", b."is_end") AS "n"
        FROM (
            SELECT h."tenant_id", h."parent_group_id", h."child_group_id", h."id", h."created_at", h."ended_at", e."is_end",
                CASE WHEN e."is_end" THEN h."ended_at" ELSE h."created_at" END AS "at"
            FROM "nesting_history" h CROSS JOIN (VALUES (false), (true)) e("is_end")
            UNION ALL
            SELECT c."tenant_id", c."parent_group_id", c."child_group_id", NULL, c."created_at", NULL, false, c."created_at"
            FROM "nestings" c
            WHERE EXISTS (SELECT FROM "nesting_history" h WHERE h."tenant_id" = c."tenant_id"
                AND h."parent_group_id" = c."parent_group_id" AND h."child_group_id" = c."child_group_id")
        ) b JOIN "moments" m ON m."tenant_id" = b."tenant_id" AND m."at" = b."at"
    ) numbered
) lifted;
ANALYZE "membership_intervals", "nesting_intervals";

-- The log. What happened until now is in the best order there is; from its head on, positions are exact.
CREATE TABLE "tenant_logs" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "position" BIGINT NOT NULL DEFAULT 0,
    "change_id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "exact_from" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "tenant_logs_pkey" PRIMARY KEY ("tenant_id")
);
INSERT INTO "tenant_logs" ("tenant_id", "position", "at", "exact_from")
SELECT t."id", coalesce(max(p."position"), 0), greatest(max(p."at"), t."created_at"), coalesce(max(p."position"), 0)
FROM "tenants" t LEFT JOIN (
    SELECT "tenant_id", "position", "at" FROM "moments"
    UNION ALL SELECT "tenant_id", "bound", NULL FROM "membership_intervals"
    UNION ALL SELECT "tenant_id", "bound", NULL FROM "nesting_intervals"
) p ON p."tenant_id" = t."id" GROUP BY t."id";

CREATE TABLE "changes" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "position" BIGINT NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "change_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "type" TEXT COLLATE "C" NOT NULL,
    "actor_id" TEXT COLLATE "C" NOT NULL,
    "actor_type" TEXT COLLATE "C" NOT NULL,
    "cause" TEXT COLLATE "C",
    "group_id" TEXT COLLATE "C",
    "user_ids" TEXT[] COLLATE "C",
    "group_ids" TEXT[] COLLATE "C",
    "data" JSONB NOT NULL,

    CONSTRAINT "changes_pkey" PRIMARY KEY ("tenant_id","position","ordinal")
);
INSERT INTO "changes"
SELECT e."tenant_id", m."position",
    -- Events of one transaction lie in the order in which it stored them: none was ever changed or deleted.
    row_number() OVER (PARTITION BY e."tenant_id", m."position" ORDER BY e."transaction_id", e.ctid) - 1,
    CASE WHEN m."position" = l."position" THEN l."change_id"
        ELSE md5(e."tenant_id" || ' ' || m."position" || ' ' || l."change_id")::uuid END,
    e."occurred_at", e."event_type", e."actor_id", e."actor_type", e."data"->>'cause', e."group_id",
    CASE WHEN e."data" ? 'userIds' THEN array(SELECT jsonb_array_elements_text(e."data"->'userIds')) END,
    CASE WHEN e."data" ? 'childGroupIds' THEN array(SELECT jsonb_array_elements_text(e."data"->'childGroupIds')) END,
    CASE WHEN e."event_type" = 'group.created' THEN jsonb_build_object('after', e."data")
        ELSE e."data" - '{cause,userIds,childGroupIds}'::text[] END
FROM "group_events" e
JOIN "moments" m ON m."tenant_id" = e."tenant_id" AND m."at" = e."occurred_at"
JOIN "tenant_logs" l ON l."tenant_id" = e."tenant_id";
DROP TABLE "group_events";

-- The tenant of each id.
CREATE TABLE "ids" (
    "id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "ids_pkey" PRIMARY KEY ("id")
);
INSERT INTO "ids" SELECT "id", "tenant_id" FROM "users" UNION ALL SELECT "id", "tenant_id" FROM "groups";
-- Of users that were removed before, those that the history names.
INSERT INTO "ids" SELECT DISTINCT ON ("user_id") "user_id", "tenant_id" FROM "membership_history"
ORDER BY "user_id", "ended_at" DESC ON CONFLICT ("id") DO NOTHING;

-- Edges, in tables of their own, as each row changes.
ALTER TABLE "memberships" RENAME TO "old_memberships";
ALTER TABLE "nestings" RENAME TO "old_nestings";
ALTER TABLE "membership_history" RENAME TO "old_membership_history";
ALTER TABLE "nesting_history" RENAME TO "old_nesting_history";
ALTER TABLE "old_memberships" DROP CONSTRAINT "memberships_pkey", DROP CONSTRAINT "memberships_tenant_id_group_id_fkey",
    DROP CONSTRAINT "memberships_tenant_id_user_id_fkey";
ALTER TABLE "old_nestings" DROP CONSTRAINT "nestings_pkey", DROP CONSTRAINT "nestings_tenant_id_parent_group_id_fkey",
    DROP CONSTRAINT "nestings_tenant_id_child_group_id_fkey";
ALTER TABLE "old_membership_history" DROP CONSTRAINT "membership_history_pkey";
ALTER TABLE "old_nesting_history" DROP CONSTRAINT "nesting_history_pkey";

CREATE TABLE "memberships" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "group_id" TEXT COLLATE "C" NOT NULL,
    "user_id" TEXT COLLATE "C" NOT NULL,
    "since" BIGINT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL,
    "added_by" TEXT COLLATE "C" NOT NULL
);
INSERT INTO "memberships"
SELECT o."tenant_id", o."group_id", o."user_id", coalesce(i."bound", m."position"), o."added_at", o."added_by"
FROM "old_memberships" o
JOIN "moments" m ON m."tenant_id" = o."tenant_id" AND m."at" = o."added_at"
LEFT JOIN "membership_intervals" i ON i."id" IS NULL
    AND i."tenant_id" = o."tenant_id" AND i."group_id" = o."group_id" AND i."user_id" = o."user_id"
ORDER BY 1, 2, 3;

CREATE TABLE "nestings" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "parent_group_id" TEXT COLLATE "C" NOT NULL,
    "child_group_id" TEXT COLLATE "C" NOT NULL,
    "since" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT COLLATE "C" NOT NULL,
    "stands_for" TEXT[] COLLATE "C"
);
INSERT INTO "nestings"
SELECT o."tenant_id", o."parent_group_id", o."child_group_id", coalesce(i."bound", m."position"), o."created_at", o."created_by",
    o."stands_for"
FROM "old_nestings" o
JOIN "moments" m ON m."tenant_id" = o."tenant_id" AND m."at" = o."created_at"
LEFT JOIN "nesting_intervals" i ON i."id" IS NULL AND i."tenant_id" = o."tenant_id"
    AND i."parent_group_id" = o."parent_group_id" AND i."child_group_id" = o."child_group_id";

CREATE TABLE "membership_history" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "group_id" TEXT COLLATE "C" NOT NULL,
    "user_id" TEXT COLLATE "C" NOT NULL,
    "since" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL,
    "added_by" TEXT COLLATE "C" NOT NULL,
    "ended_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_by" TEXT COLLATE "C" NOT NULL,
    "cause" TEXT COLLATE "C" NOT NULL,
    "deletion_id" TEXT COLLATE "C"
);
INSERT INTO "membership_history"
SELECT o."tenant_id", o."group_id", o."user_id", b."bound", e."bound", o."added_at", o."added_by", o."ended_at", o."ended_by",
    o."cause", o."deletion_id"
FROM "old_membership_history" o
JOIN "membership_intervals" b ON b."id" = o."id" AND NOT b."is_end"
JOIN "membership_intervals" e ON e."id" = o."id" AND e."is_end";

CREATE TABLE "nesting_history" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "parent_group_id" TEXT COLLATE "C" NOT NULL,
    "child_group_id" TEXT COLLATE "C" NOT NULL,
    "since" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT COLLATE "C" NOT NULL,
    "ended_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_by" TEXT COLLATE "C" NOT NULL,
    "cause" TEXT COLLATE "C" NOT NULL,
    "deletion_id" TEXT COLLATE "C",
    "stands_for" TEXT[] COLLATE "C"
);
INSERT INTO "nesting_history"
SELECT o."tenant_id", o."parent_group_id", o."child_group_id", b."bound", e."bound", o."created_at", o."created_by", o."ended_at",
    o."ended_by", o."cause", o."deletion_id", o."stands_for"
FROM "old_nesting_history" o
JOIN "nesting_intervals" b ON b."id" = o."id" AND NOT b."is_end"
JOIN "nesting_intervals" e ON e."id" = o."id" AND e."is_end";

-- Keys begin with the tenant. Foreign keys to tenants have no ON UPDATE action: ids never change.
ALTER TABLE "groups" DROP CONSTRAINT "groups_tenant_id_parent_group_id_fkey", DROP CONSTRAINT "groups_tenant_id_fkey",
    DROP CONSTRAINT "groups_pkey";
ALTER TABLE "users" DROP CONSTRAINT "users_tenant_id_fkey", DROP CONSTRAINT "users_pkey";
ALTER TABLE "groups" ADD CONSTRAINT "groups_pkey" PRIMARY KEY USING INDEX "groups_tenant_id_id_key";
ALTER TABLE "users" ADD CONSTRAINT "users_pkey" PRIMARY KEY USING INDEX "users_tenant_id_id_key";
DROP INDEX "groups_deletion_id_idx";
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_pkey" PRIMARY KEY ("tenant_id", "group_id", "user_id");
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_pkey" PRIMARY KEY ("tenant_id", "parent_group_id", "child_group_id");
ALTER TABLE "membership_history" ADD CONSTRAINT "membership_history_pkey" PRIMARY KEY ("tenant_id", "group_id", "user_id", "since");
ALTER TABLE "nesting_history" ADD CONSTRAINT "nesting_history_pkey"
    PRIMARY KEY ("tenant_id", "parent_group_id", "child_group_id", "since");

-- Users: the position of the creation, and of the removal. Earlier removals deleted the row, and the id stays unknown. A user is
-- there from its first membership on, whose transaction may have started earlier than that of the user. A membership that a
-- deletion ended before the user was created again was another user's: it must not be restored, so this user begins after it.
ALTER TABLE "users" ADD COLUMN "since" BIGINT, ADD COLUMN "until" BIGINT;
UPDATE "users" u SET "since" = greatest(m."position", o."since" + 1)
FROM (
    SELECT u."tenant_id", u."id", least(u."created_at", min(e."added_at")) AS "at"
    FROM "users" u LEFT JOIN (
        SELECT "tenant_id", "user_id", "added_at", NULL AS "ended_at" FROM "old_memberships"
        UNION ALL SELECT "tenant_id", "user_id", "added_at", "ended_at" FROM "old_membership_history"
        WHERE "deletion_id" IS NOT NULL AND NOT "user_removed"
    ) e ON e."tenant_id" = u."tenant_id" AND e."user_id" = u."id" AND e."added_at" < u."created_at"
        AND coalesce(e."ended_at" >= u."created_at", true)
    GROUP BY u."tenant_id", u."id"
) f
JOIN "moments" m ON m."tenant_id" = f."tenant_id" AND m."at" = f."at"
LEFT JOIN (
    SELECT h."tenant_id", h."user_id", max(i."bound") AS "since"
    FROM "old_membership_history" h
    JOIN "users" u ON u."tenant_id" = h."tenant_id" AND u."id" = h."user_id"
    JOIN "membership_intervals" i ON i."id" = h."id" AND NOT i."is_end"
    WHERE h."deletion_id" IS NOT NULL AND (h."user_removed" OR h."ended_at" < u."created_at")
    GROUP BY h."tenant_id", h."user_id"
) o ON o."tenant_id" = f."tenant_id" AND o."user_id" = f."id"
WHERE u."tenant_id" = f."tenant_id" AND u."id" = f."id";
ALTER TABLE "users" ALTER COLUMN "since" SET NOT NULL;
DROP TABLE "old_memberships", "old_nestings", "old_membership_history", "old_nesting_history";

ALTER TABLE "groups" DROP COLUMN "membership_version";
ALTER TABLE "tenants" DROP COLUMN "nesting_version", DROP COLUMN "user_version";
-- What earlier migrations left to a later start.
UPDATE "groups" g SET "member_count" = c."members"
FROM (
    SELECT g."tenant_id", g."id", count(m."user_id")::int AS "members"
    FROM "groups" g LEFT JOIN "memberships" m ON m."tenant_id" = g."tenant_id" AND m."group_id" = g."id" GROUP BY 1, 2
) c WHERE c."tenant_id" = g."tenant_id" AND c."id" = g."id" AND g."member_count" <> c."members";
DROP TABLE "backfills";

-- Foreign keys, and checks of single rows.
ALTER TABLE "tenants" DROP CONSTRAINT "tenants_partner_id_fkey";
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_partner_id_fkey" FOREIGN KEY ("partner_id") REFERENCES "partners"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "tenant_logs" ADD CONSTRAINT "tenant_logs_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "users" ADD CONSTRAINT "users_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "groups" ADD CONSTRAINT "groups_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "groups" ADD CONSTRAINT "groups_tenant_id_parent_group_id_fkey" FOREIGN KEY ("tenant_id", "parent_group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_tenant_id_group_id_fkey" FOREIGN KEY ("tenant_id", "group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_tenant_id_user_id_fkey" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_tenant_id_parent_group_id_fkey" FOREIGN KEY ("tenant_id", "parent_group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_tenant_id_child_group_id_fkey" FOREIGN KEY ("tenant_id", "child_group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_not_in_itself" CHECK ("parent_group_id" <> "child_group_id");
ALTER TABLE "users" ADD CONSTRAINT "users_interval" CHECK ("until" > "since");
ALTER TABLE "membership_history" ADD CONSTRAINT "membership_history_interval" CHECK ("until" > "since");
ALTER TABLE "nesting_history" ADD CONSTRAINT "nesting_history_interval" CHECK ("until" > "since");

-- From a user to its groups, also for the foreign key of users, and the members of a group by the time of their addition. Rows
-- of one user share an entry: with the groups in it the first index would be six times as big.
CREATE INDEX "memberships_tenant_id_user_id_idx" ON "memberships"("tenant_id", "user_id");
CREATE INDEX "memberships_group_id_since_user_id_idx" ON "memberships"("group_id", "since", "user_id");
-- From a nested group to those that it is nested in; and, as the schema cannot say, the few that stand in for a deleted group.
CREATE INDEX "nestings_tenant_id_child_group_id_parent_group_id_idx" ON "nestings"("tenant_id", "child_group_id", "parent_group_id");
CREATE INDEX "nestings_stands_for_idx" ON "nestings"("tenant_id") WHERE "stands_for" IS NOT NULL;
-- What ended after a position; and, as the schema cannot say, what a deletion ended.
CREATE INDEX "membership_history_tenant_id_group_id_until_idx" ON "membership_history"("tenant_id", "group_id", "until");
CREATE INDEX "membership_history_tenant_id_user_id_until_idx" ON "membership_history"("tenant_id", "user_id", "until");
CREATE INDEX "membership_history_deletion_idx" ON "membership_history"("tenant_id", "deletion_id") WHERE "deletion_id" IS NOT NULL;
CREATE INDEX "nesting_history_tenant_id_child_group_id_until_idx" ON "nesting_history"("tenant_id", "child_group_id", "until");
CREATE INDEX "nesting_history_deletion_idx" ON "nesting_history"("tenant_id", "deletion_id") WHERE "deletion_id" IS NOT NULL;
-- Changes that hold personal data of users, which an erasure rewrites.
CREATE INDEX "changes_users_idx" ON "changes" USING gin ("tenant_id", "user_ids") WHERE "group_id" IS NULL AND "data" ? 'users';
CREATE INDEX "groups_deletion_idx" ON "groups"("tenant_id", "deletion_id") WHERE "deletion_id" IS NOT NULL;
-- What was carried over is known to the planner from the first request on. An empty directory has no statistics to take.
DO $$ BEGIN
    IF EXISTS (SELECT FROM "ids") THEN
        ANALYZE "tenant_logs", "changes", "ids", "users", "groups", "memberships", "nestings", "membership_history", "nesting_history";
    END IF;
END $$;
