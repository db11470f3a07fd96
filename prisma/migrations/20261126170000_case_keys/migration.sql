-- Case keys follow new rules, which SQL has no functions for: the keys of all tenants that are here are marked as stale, and
-- rewritten when the database is opened. Tenants of later have new keys from the start.
ALTER TABLE "tenants" ADD COLUMN "stale_keys" BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE "tenants" ALTER COLUMN "stale_keys" SET DEFAULT false;
