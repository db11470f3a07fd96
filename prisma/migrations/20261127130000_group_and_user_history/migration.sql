-- What groups and users were before their last change, so that the directory can be read as of a position.
CREATE TABLE "group_history" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "since" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "parent_group_id" TEXT COLLATE "C",
    "name" TEXT NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "search_key" TEXT COLLATE "C" NOT NULL,
    "description" TEXT,
    "type" "GroupType" NOT NULL,
    "custom_attributes" JSONB,
    "version" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "group_history_pkey" PRIMARY KEY ("tenant_id","id","since"),
    CONSTRAINT "group_history_interval" CHECK ("since" < "until")
);
CREATE INDEX "group_history_tenant_id_name_key_id_idx" ON "group_history"("tenant_id", "name_key", "id");
CREATE INDEX "group_history_tenant_id_parent_group_id_name_key_id_idx" ON "group_history"("tenant_id", "parent_group_id", "name_key", "id");

CREATE TABLE "user_history" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "since" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "created_since" BIGINT NOT NULL,
    "email" TEXT NOT NULL,
    "display_name" TEXT,
    "search_key" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "user_history_pkey" PRIMARY KEY ("tenant_id","id","since"),
    CONSTRAINT "user_history_interval" CHECK ("since" < "until")
);

-- A constant default rewrites no rows.
ALTER TABLE "groups" ADD COLUMN "version_since" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "users" ADD COLUMN "version_since" BIGINT NOT NULL DEFAULT 0;

-- What names and parents were before now is not known exactly: the past of these tenants begins at their present.
UPDATE "tenant_logs" SET "exact_from" = "position";

-- Finds the position of a time.
CREATE INDEX "changes_tenant_id_at_position_idx" ON "changes"("tenant_id", "at", "position");
