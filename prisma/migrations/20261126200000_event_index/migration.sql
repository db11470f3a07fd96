-- Built by itself, so that readers go on meanwhile. An earlier text of `event_transactions` built it too.
CREATE INDEX IF NOT EXISTS "group_events_tenant_id_transaction_id_idx" ON "group_events"("tenant_id", "transaction_id");
