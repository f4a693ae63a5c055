ALTER TABLE integrations.integration
    ADD COLUMN way text NOT NULL DEFAULT 'oauth',
    ADD COLUMN resources text[] NOT NULL DEFAULT '{}',
    ADD COLUMN direction text NOT NULL DEFAULT 'pull'
        CHECK (direction IN ('pull', 'push', 'bidirectional')),
    ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';

ALTER TABLE integrations.oauth_token
    ADD COLUMN refresh_expires_at timestamptz,
    ADD COLUMN consent_expires_at timestamptz,
    ADD COLUMN refresh_failures bigint NOT NULL DEFAULT 0,
    ADD COLUMN refresh_not_before timestamptz;
CREATE INDEX oauth_token_refreshing ON integrations.oauth_token (refresh_started_at)
    WHERE refresh_started_at IS NOT NULL;

ALTER TABLE integrations.oauth_state
    ADD COLUMN another_account boolean NOT NULL DEFAULT false;

CREATE TABLE integrations.alert (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL,
    integration_id uuid NOT NULL,
    kind text NOT NULL,
    message text NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz,
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);
-- One open alert of a kind: what goes on is not told again.
CREATE UNIQUE INDEX alert_open ON integrations.alert (tenant_id, integration_id, kind)
    WHERE cleared_at IS NULL;
CREATE INDEX alert_unsent ON integrations.alert (raised_at) WHERE sent_at IS NULL;

ALTER TABLE integrations.alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE integrations.alert FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON integrations.alert
    USING (tenant_id = integrations.current_tenant() OR integrations.is_system());
GRANT SELECT, INSERT, UPDATE, DELETE ON integrations.alert TO integrations_app;

-- A value that is sealed under a key which is gone could never be opened: such a write fails.
-- The key's id is in bytes 2 to 17 of every sealed value.
CREATE FUNCTION integrations.require_key(sealed bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = integrations, pg_temp AS $$
BEGIN
    IF sealed IS NULL OR length(sealed) < 17 THEN RETURN; END IF;
    PERFORM 1 FROM integrations.data_key
        WHERE id = encode(substring(sealed FROM 2 FOR 16), 'hex')::uuid FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sealed under a key that is gone' USING ERRCODE = 'foreign_key_violation';
    END IF;
END $$;

CREATE FUNCTION integrations.check_sealed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    name text;
    sealed bytea;
BEGIN
    FOREACH name IN ARRAY TG_ARGV LOOP
        EXECUTE format('SELECT ($1).%I', name) INTO sealed USING NEW;
        PERFORM integrations.require_key(sealed);
    END LOOP;
    RETURN NEW;
END $$;

CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OF access_token, refresh_token
    ON integrations.oauth_token FOR EACH ROW
    EXECUTE FUNCTION integrations.check_sealed('access_token', 'refresh_token');
CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OF client_secret
    ON integrations.integration FOR EACH ROW
    EXECUTE FUNCTION integrations.check_sealed('client_secret');
CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OF code_verifier
    ON integrations.oauth_state FOR EACH ROW
    EXECUTE FUNCTION integrations.check_sealed('code_verifier');
CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OF secret
    ON integrations.integration_webhook FOR EACH ROW
    EXECUTE FUNCTION integrations.check_sealed('secret');
