-- The version of a group's memberships that an event made. The next migration replaces it, and its index is not built.
ALTER TABLE "group_events" ADD COLUMN "membership_version" BIGINT;

DROP INDEX "group_events_group_id_occurred_at_idx";
