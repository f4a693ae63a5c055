-- Casts that give NULL where the text is no such value: one odd record must not fail a batch.
CREATE FUNCTION integrations.try_bigint(value text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN value::bigint; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

CREATE FUNCTION integrations.try_numeric(value text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN value::numeric; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

CREATE FUNCTION integrations.try_boolean(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN RETURN value::boolean; EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

CREATE FUNCTION integrations.try_timestamptz(value text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN
    -- the words that Postgres also takes for times ('now', 'infinity') mean nothing here
    IF value !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)' THEN RETURN NULL; END IF;
    RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

CREATE FUNCTION integrations.try_epoch(value text, per_second integer) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE seconds double precision := value::double precision / per_second;
BEGIN
    IF seconds NOT BETWEEN -62135596800 AND 253402300799 THEN RETURN NULL; END IF; -- years 1 to 9999
    RETURN to_timestamp(seconds);
EXCEPTION WHEN data_exception THEN RETURN NULL; END $$;

-- The same without a net: cheap, as Postgres can inline them, but a date such as 2026-02-31 fails.
CREATE FUNCTION integrations.strict_timestamptz(value text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)' THEN value::timestamptz END $$;

CREATE FUNCTION integrations.strict_epoch(value text, per_second integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN value::double precision / per_second BETWEEN -62135596800 AND 253402300799
    THEN to_timestamp(value::double precision / per_second) END $$;

-- The tenant of the transaction; after SET LOCAL ends the setting is '' and not NULL.
CREATE FUNCTION integrations.current_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NULLIF(current_setting('integrations.tenant', true), '')::uuid $$;

-- On for work that spans tenants: dispatching, launching, connecting by state, retention.
CREATE FUNCTION integrations.is_system() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT current_setting('integrations.system', true) = 'on' $$;

CREATE TABLE integrations.tenant (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE integrations.app_user (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX app_user_email ON integrations.app_user (tenant_id, lower(email));

CREATE TABLE integrations.api_key (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES integrations.app_user ON DELETE CASCADE
);

CREATE TABLE integrations.integration (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    key text NOT NULL UNIQUE,
    slug text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    status text NOT NULL DEFAULT 'INACTIVE'
        CHECK (status IN ('ACTIVE', 'INACTIVE', 'ERROR', 'SYNCING', 'PAUSED')),
    status_reason text,
    settings jsonb NOT NULL DEFAULT '{}',
    client_id text,
    client_secret bytea,
    account_id text,
    schedule_cron text,
    schedule_timezone text NOT NULL DEFAULT 'UTC',
    next_sync_at timestamptz,
    last_sync_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX integration_due ON integrations.integration (next_sync_at)
    WHERE next_sync_at IS NOT NULL;

CREATE TABLE integrations.oauth_token (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    integration_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    access_token bytea NOT NULL,
    refresh_token bytea,
    scopes text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    obtained_at timestamptz NOT NULL DEFAULT now(),
    refresh_holder text,
    refresh_started_at timestamptz,
    PRIMARY KEY (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

CREATE TABLE integrations.oauth_state (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    state_hash bytea NOT NULL UNIQUE,
    integration_id uuid NOT NULL,
    user_id uuid NOT NULL,
    session_hash bytea NOT NULL,
    code_verifier bytea,
    redirect_uri text NOT NULL,
    scopes text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

CREATE TABLE integrations.integration_sync_job (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    sync_type text NOT NULL
        CHECK (sync_type IN ('FULL_SYNC', 'INCREMENTAL', 'SELECTIVE', 'SCHEDULED', 'MANUAL')),
    direction text NOT NULL CHECK (direction IN ('pull', 'push', 'bidirectional')),
    trigger text NOT NULL,
    requested_by text,
    slot timestamptz,
    resources text[] NOT NULL,
    configuration jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    error text,
    run_id text,
    launched_at timestamptz,
    launches bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    holder text,
    lease_until timestamptz,
    api_calls bigint NOT NULL DEFAULT 0,
    api_bytes bigint NOT NULL DEFAULT 0,
    waited_seconds double precision NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);
-- Two runs for one integration never write at once.
CREATE UNIQUE INDEX integration_sync_job_running
    ON integrations.integration_sync_job (tenant_id, integration_id) WHERE status = 'RUNNING';
-- A scheduled slot becomes one job, however often its tick runs.
CREATE UNIQUE INDEX integration_sync_job_slot
    ON integrations.integration_sync_job (tenant_id, integration_id, slot) WHERE slot IS NOT NULL;
CREATE INDEX integration_sync_job_open
    ON integrations.integration_sync_job (created_at) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX integration_sync_job_history
    ON integrations.integration_sync_job (tenant_id, integration_id, created_at DESC);

CREATE TABLE integrations.resource_sync (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    job_id uuid NOT NULL,
    resource text NOT NULL,
    status text NOT NULL DEFAULT 'PENDING',
    mode text,
    processed bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    updated bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    pages bigint NOT NULL DEFAULT 0,
    error text,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, job_id, resource),
    FOREIGN KEY (tenant_id, job_id) REFERENCES integrations.integration_sync_job ON DELETE CASCADE
);

CREATE TABLE integrations.integration_sync_log (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    job_id uuid NOT NULL,
    level text NOT NULL,
    resource text,
    message text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, job_id) REFERENCES integrations.integration_sync_job ON DELETE CASCADE
);
CREATE INDEX integration_sync_log_job ON integrations.integration_sync_log (tenant_id, job_id, id);

CREATE TABLE integrations.checkpoint (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    scope text NOT NULL DEFAULT '',
    cursor jsonb,
    progress jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, resource, scope),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

CREATE TABLE integrations.seen_record (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    scope text NOT NULL DEFAULT '',
    record_id text NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, resource, scope, record_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

CREATE TABLE integrations.integration_webhook (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    external_id text,
    events text[] NOT NULL DEFAULT '{}',
    secret bytea,
    status text NOT NULL DEFAULT 'PENDING',
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

CREATE TABLE integrations.integration_field_mapping (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    direction text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    transforms jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

-- These two belong to no tenant.
CREATE TABLE integrations.data_key (
    id uuid PRIMARY KEY,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE integrations.warehouse_table (
    name text PRIMARY KEY,
    columns jsonb NOT NULL
);

-- The wall: a tenant's rows show in that tenant's transactions and in system work, else nowhere.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'app_user', 'api_key', 'integration', 'oauth_token', 'oauth_state',
        'integration_sync_job', 'resource_sync', 'integration_sync_log', 'checkpoint',
        'seen_record', 'integration_webhook', 'integration_field_mapping'
    ] LOOP
        EXECUTE format('ALTER TABLE integrations.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE integrations.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant_wall ON integrations.%I
             USING (tenant_id = integrations.current_tenant() OR integrations.is_system())', name);
    END LOOP;
END $$;

ALTER TABLE integrations.tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE integrations.tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON integrations.tenant
    USING (id = integrations.current_tenant() OR integrations.is_system());

GRANT USAGE ON SCHEMA integrations TO integrations_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA integrations TO integrations_app;
REVOKE INSERT, UPDATE, DELETE ON integrations.data_key, integrations.warehouse_table
    FROM integrations_app;
REVOKE ALL ON integrations.alembic_version FROM integrations_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA integrations TO integrations_app;
