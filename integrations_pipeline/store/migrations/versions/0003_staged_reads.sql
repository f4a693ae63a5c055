ALTER TABLE integrations.integration
    ADD COLUMN policy jsonb NOT NULL DEFAULT '{}';

ALTER TABLE integrations.integration_sync_job
    ADD COLUMN retries bigint NOT NULL DEFAULT 0,
    ADD COLUMN not_before timestamptz,
    ADD COLUMN cancel_asked_by text;

ALTER TABLE integrations.resource_sync
    ADD COLUMN rejected bigint NOT NULL DEFAULT 0,
    ADD COLUMN warnings bigint NOT NULL DEFAULT 0,
    ADD COLUMN commits bigint NOT NULL DEFAULT 0,
    ADD COLUMN api_calls bigint NOT NULL DEFAULT 0,
    ADD COLUMN api_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN waited_seconds double precision NOT NULL DEFAULT 0,
    ADD COLUMN retries bigint NOT NULL DEFAULT 0;

-- What a full read has met so far. It shows only when all of it is merged, in one transaction.
-- Not logged: a crash of the server empties it, which the next run notices, and reads again.
CREATE UNLOGGED TABLE integrations.staged_batch (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    scope text NOT NULL DEFAULT '',
    seq bigint NOT NULL,
    seen text[] NOT NULL,
    gone text[] NOT NULL,
    ids text[] NOT NULL,
    raws jsonb[] NOT NULL,
    hashes bytea[] NOT NULL,
    versions timestamptz[] NOT NULL,
    customs jsonb[] NOT NULL,
    staged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, resource, scope, seq),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);
-- Compressing costs more time than the space is worth: a batch lives for minutes.
ALTER TABLE integrations.staged_batch
    ALTER COLUMN seen SET STORAGE EXTERNAL, ALTER COLUMN gone SET STORAGE EXTERNAL,
    ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN raws SET STORAGE EXTERNAL,
    ALTER COLUMN hashes SET STORAGE EXTERNAL, ALTER COLUMN versions SET STORAGE EXTERNAL,
    ALTER COLUMN customs SET STORAGE EXTERNAL;
DROP TABLE integrations.seen_record;

-- Records that could not be loaded or sent, kept until somebody looks after them.
CREATE TABLE integrations.dead_letter (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('pull', 'push')),
    job_id uuid,
    record_id text,
    reason text NOT NULL,
    payload bytea NOT NULL,
    digest bytea NOT NULL,
    times bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);
-- The same record that fails again is one letter.
CREATE UNIQUE INDEX dead_letter_open ON integrations.dead_letter
    (tenant_id, integration_id, resource, direction, digest) WHERE resolved_at IS NULL;
CREATE INDEX dead_letter_record ON integrations.dead_letter
    (tenant_id, integration_id, resource, record_id) WHERE resolved_at IS NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['staged_batch', 'dead_letter'] LOOP
        EXECUTE format('ALTER TABLE integrations.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE integrations.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            -- they hold records, which not even work that spans tenants sees
            'CREATE POLICY tenant_wall ON integrations.%I
             USING (tenant_id = integrations.current_tenant())', name);
        EXECUTE format(
            'GRANT SELECT, INSERT, UPDATE, DELETE ON integrations.%I TO integrations_app', name);
    END LOOP;
END $$;

-- As before, but what is no number is caught as well: a block does not catch what its declarations
-- raise.
CREATE OR REPLACE FUNCTION integrations.try_epoch(value text, per_second integer)
RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE seconds double precision;
BEGIN
    seconds := value::double precision / per_second;
    IF seconds NOT BETWEEN -62135596800 AND 253402300799 THEN RETURN NULL; END IF; -- years 1 to 9999
    RETURN to_timestamp(seconds);
EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

-- A record that was read with some of its fields only, laid over what is known of it. Where a
-- service keeps its fields in an object of their own, that is what is laid over.
CREATE FUNCTION integrations.overlaid(known jsonb, given jsonb, inside text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT known || given || CASE
    WHEN jsonb_typeof(known -> inside) = 'object' AND jsonb_typeof(given -> inside) = 'object'
    THEN jsonb_build_object(inside, (known -> inside) || (given -> inside))
    ELSE '{}' END
$$;

-- One open alert of a kind about each subject, such as a resource.
ALTER TABLE integrations.alert ADD COLUMN subject text NOT NULL DEFAULT '';
DROP INDEX integrations.alert_open;
CREATE UNIQUE INDEX alert_open ON integrations.alert (tenant_id, integration_id, kind, subject)
    WHERE cleared_at IS NULL;
