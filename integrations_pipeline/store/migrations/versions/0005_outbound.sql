-- What goes out: intents that people and assets write, and the ledger of what became of them.
-- The partitions are the outbound tables of the resources, such as hubspot.contacts_outbound.
CREATE SEQUENCE integrations.outbound_id;

CREATE TABLE integrations.outbound (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    target text NOT NULL,
    integration_id uuid NOT NULL,
    id bigint NOT NULL DEFAULT nextval('integrations.outbound_id'),
    operation text NOT NULL DEFAULT 'upsert'
        CHECK (operation IN ('create', 'update', 'upsert', 'delete')),
    record_id text CHECK (record_id <> ''),
    external_id text CHECK (external_id <> ''),
    data jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- from here on the engine writes
    base jsonb,
    state text NOT NULL DEFAULT 'PENDING'
        CHECK (state IN ('PENDING', 'SENDING', 'DONE', 'REJECTED', 'HELD', 'SKIPPED')),
    decision text CHECK (decision IN ('ours', 'theirs')),
    attempts bigint NOT NULL DEFAULT 0,
    idempotency_key text,
    sent jsonb,
    sent_as text,
    sent_at timestamptz,
    lost_at timestamptz,
    remote_job text,
    remote_place bigint,
    confirmed_at timestamptz,
    remote_id text,
    reason text,
    conflict jsonb,
    job_id uuid,
    PRIMARY KEY (tenant_id, target, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE,
    CHECK (operation <> 'create' OR record_id IS NULL)
) PARTITION BY LIST (target);

CREATE INDEX outbound_open ON integrations.outbound (tenant_id, integration_id, id)
    WHERE state IN ('PENDING', 'SENDING', 'HELD');
CREATE INDEX outbound_remote ON integrations.outbound (tenant_id, integration_id, remote_id)
    WHERE remote_id IS NOT NULL;

-- An intent begins as PENDING, whatever its writer says, and remembers the record as it was last
-- synced: a change that the service sees later can be told from one that the writer knew.
CREATE FUNCTION integrations.accept_intent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    service text := split_part(NEW.target, '.', 1);
    known text;
BEGIN
    SELECT lower(type) INTO known FROM integrations.integration
    WHERE tenant_id = NEW.tenant_id AND id = NEW.integration_id;
    IF known IS DISTINCT FROM service THEN
        RAISE EXCEPTION 'The integration % is none of %.', NEW.integration_id, service
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.state := 'PENDING';
    NEW.attempts := 0;
    NEW.created_at := clock_timestamp();
    NEW.base := NULL;
    NEW.decision := NULL;
    NEW.idempotency_key := NULL;
    NEW.sent := NULL;
    NEW.sent_as := NULL;
    NEW.sent_at := NULL;
    NEW.lost_at := NULL;
    NEW.remote_job := NULL;
    NEW.remote_place := NULL;
    NEW.confirmed_at := NULL;
    NEW.remote_id := NULL;
    NEW.reason := NULL;
    NEW.conflict := NULL;
    NEW.job_id := NULL;
    IF NEW.record_id IS NOT NULL THEN
        EXECUTE format(
            'SELECT raw FROM %I.%I WHERE tenant_id = $1 AND integration_id = $2 AND id = $3
             AND deleted_at IS NULL', service, split_part(NEW.target, '.', 2))
        INTO NEW.base USING NEW.tenant_id, NEW.integration_id, NEW.record_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accept_intent BEFORE INSERT ON integrations.outbound
    FOR EACH ROW EXECUTE FUNCTION integrations.accept_intent();

ALTER TABLE integrations.outbound ENABLE ROW LEVEL SECURITY;
ALTER TABLE integrations.outbound FORCE ROW LEVEL SECURITY;
-- It holds records: not even system work sees them.
CREATE POLICY tenant_wall ON integrations.outbound
    USING (tenant_id = integrations.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON integrations.outbound TO integrations_app;
GRANT USAGE ON SEQUENCE integrations.outbound_id TO integrations_app;
