-- The directory's first tables. Written by Prisma's schema engine, then edited by hand: ids and keys are compared
-- byte by byte (COLLATE "C"), so that order and cursors do not depend on the database's locale; what stands at the
-- end (search, sibling names, checks) cannot be said in schema.prisma.

-- Substring search; a trusted extension, so the database's owner may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- CreateEnum
CREATE TYPE "GroupType" AS ENUM ('SECURITY', 'DISTRIBUTION');

-- CreateTable
CREATE TABLE "partners" (
    "id" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "partners_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tenants" (
    "id" TEXT COLLATE "C" NOT NULL,
    "partner_id" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "slug" TEXT COLLATE "C" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "users" (
    "id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "display_name" TEXT,
    "search_key" TEXT COLLATE "C" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "groups" (
    "id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "parent_group_id" TEXT COLLATE "C",
    "name" TEXT COLLATE "C" NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "search_key" TEXT COLLATE "C" NOT NULL,
    "description" TEXT,
    "type" "GroupType" NOT NULL DEFAULT 'SECURITY',
    "custom_attributes" JSONB,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),
    "deletion_id" TEXT COLLATE "C",

    CONSTRAINT "groups_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "memberships" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "group_id" TEXT COLLATE "C" NOT NULL,
    "user_id" TEXT COLLATE "C" NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "added_by" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "memberships_pkey" PRIMARY KEY ("group_id","user_id")
);

-- CreateTable
CREATE TABLE "nestings" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "parent_group_id" TEXT COLLATE "C" NOT NULL,
    "child_group_id" TEXT COLLATE "C" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_by" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "nestings_pkey" PRIMARY KEY ("parent_group_id","child_group_id")
);

-- CreateTable
CREATE TABLE "membership_history" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "group_id" TEXT COLLATE "C" NOT NULL,
    "user_id" TEXT COLLATE "C" NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL,
    "added_by" TEXT COLLATE "C" NOT NULL,
    "ended_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_by" TEXT COLLATE "C" NOT NULL,
    "cause" TEXT COLLATE "C" NOT NULL,
    "deletion_id" TEXT COLLATE "C",

    CONSTRAINT "membership_history_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "nesting_history" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "parent_group_id" TEXT COLLATE "C" NOT NULL,
    "child_group_id" TEXT COLLATE "C" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT COLLATE "C" NOT NULL,
    "ended_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_by" TEXT COLLATE "C" NOT NULL,
    "cause" TEXT COLLATE "C" NOT NULL,
    "deletion_id" TEXT COLLATE "C",

    CONSTRAINT "nesting_history_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "group_events" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "event_type" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "group_id" TEXT COLLATE "C" NOT NULL,
    "actor_id" TEXT COLLATE "C" NOT NULL,
    "actor_type" TEXT COLLATE "C" NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "data" JSONB NOT NULL,

    CONSTRAINT "group_events_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "tenants_partner_id_id_idx" ON "tenants"("partner_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "users_tenant_id_id_key" ON "users"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "groups_tenant_id_parent_group_id_name_key_id_idx" ON "groups"("tenant_id", "parent_group_id", "name_key", "id");

-- CreateIndex
CREATE INDEX "groups_tenant_id_name_key_id_idx" ON "groups"("tenant_id", "name_key", "id");

-- CreateIndex
CREATE INDEX "groups_tenant_id_created_at_id_idx" ON "groups"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "groups_deletion_id_idx" ON "groups"("deletion_id");

-- CreateIndex
CREATE UNIQUE INDEX "groups_tenant_id_id_key" ON "groups"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "memberships_user_id_group_id_idx" ON "memberships"("user_id", "group_id");

-- CreateIndex
CREATE INDEX "memberships_group_id_added_at_user_id_idx" ON "memberships"("group_id", "added_at", "user_id");

-- CreateIndex
CREATE INDEX "nestings_child_group_id_parent_group_id_idx" ON "nestings"("child_group_id", "parent_group_id");

-- CreateIndex
CREATE INDEX "nestings_tenant_id_idx" ON "nestings"("tenant_id");

-- CreateIndex
CREATE INDEX "membership_history_tenant_id_group_id_ended_at_idx" ON "membership_history"("tenant_id", "group_id", "ended_at");

-- CreateIndex
CREATE INDEX "membership_history_tenant_id_user_id_ended_at_idx" ON "membership_history"("tenant_id", "user_id", "ended_at");

-- CreateIndex
CREATE INDEX "membership_history_deletion_id_idx" ON "membership_history"("deletion_id");

-- CreateIndex
CREATE INDEX "nesting_history_tenant_id_parent_group_id_ended_at_idx" ON "nesting_history"("tenant_id", "parent_group_id", "ended_at");

-- CreateIndex
CREATE INDEX "nesting_history_tenant_id_child_group_id_ended_at_idx" ON "nesting_history"("tenant_id", "child_group_id", "ended_at");

-- CreateIndex
CREATE INDEX "nesting_history_deletion_id_idx" ON "nesting_history"("deletion_id");

-- CreateIndex
CREATE INDEX "group_events_tenant_id_occurred_at_id_idx" ON "group_events"("tenant_id", "occurred_at", "id");

-- CreateIndex
CREATE INDEX "group_events_group_id_occurred_at_idx" ON "group_events"("group_id", "occurred_at");

-- AddForeignKey
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_partner_id_fkey" FOREIGN KEY ("partner_id") REFERENCES "partners"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "users" ADD CONSTRAINT "users_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "groups" ADD CONSTRAINT "groups_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "groups" ADD CONSTRAINT "groups_tenant_id_parent_group_id_fkey" FOREIGN KEY ("tenant_id", "parent_group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_tenant_id_group_id_fkey" FOREIGN KEY ("tenant_id", "group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_tenant_id_user_id_fkey" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_tenant_id_parent_group_id_fkey" FOREIGN KEY ("tenant_id", "parent_group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_tenant_id_child_group_id_fkey" FOREIGN KEY ("tenant_id", "child_group_id") REFERENCES "groups"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- Substring search on name and description, and on email and display name.
CREATE INDEX "groups_search_key_trgm_idx" ON "groups" USING gin ("search_key" gin_trgm_ops) WHERE "deleted_at" IS NULL;
CREATE INDEX "groups_name_key_trgm_idx" ON "groups" USING gin ("name_key" gin_trgm_ops) WHERE "deleted_at" IS NULL;
CREATE INDEX "users_search_key_trgm_idx" ON "users" USING gin ("search_key" gin_trgm_ops);

-- Names are unique among live siblings; roots are the siblings of a tenant's empty parent.
CREATE UNIQUE INDEX "groups_live_sibling_name_key" ON "groups"("tenant_id", (COALESCE("parent_group_id", '')), "name_key") WHERE "deleted_at" IS NULL;

-- Rules of single rows, refused here too.
ALTER TABLE "groups" ADD CONSTRAINT "groups_not_own_parent" CHECK ("parent_group_id" <> "id");
ALTER TABLE "groups" ADD CONSTRAINT "groups_deletion_is_whole" CHECK (("deleted_at" IS NULL) = ("deletion_id" IS NULL));
ALTER TABLE "nestings" ADD CONSTRAINT "nestings_not_in_itself" CHECK ("parent_group_id" <> "child_group_id");
