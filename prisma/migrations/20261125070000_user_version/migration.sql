-- How often users of a tenant changed: with a group's version of memberships it says whether a page of its members that
-- was read before still stands.
ALTER TABLE "tenants" ADD COLUMN "user_version" BIGINT NOT NULL DEFAULT 0;
