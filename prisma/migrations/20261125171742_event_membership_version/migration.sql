-- Changes of a group's memberships since one of its versions are found by that version, e.g. to carry a count forward.
-- Written by Prisma's schema engine. Events of before have no version: what was derived before them is counted anew.
ALTER TABLE "group_events" ADD COLUMN "membership_version" BIGINT;

DROP INDEX "group_events_group_id_occurred_at_idx";
CREATE INDEX "group_events_group_id_membership_version_idx" ON "group_events"("group_id", "membership_version");
