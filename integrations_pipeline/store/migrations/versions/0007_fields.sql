-- The fields that an integration's records were seen with: names and JSON types, never values.
-- The empty path stands for the record itself: it is there once a first full read has ended.
CREATE TABLE integrations.seen_field (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    path text NOT NULL,
    types text[] NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    gone_at timestamptz,
    PRIMARY KEY (tenant_id, integration_id, resource, path),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

ALTER TABLE integrations.seen_field ENABLE ROW LEVEL SECURITY;
ALTER TABLE integrations.seen_field FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON integrations.seen_field
    USING (tenant_id = integrations.current_tenant() OR integrations.is_system());
GRANT SELECT, INSERT, UPDATE, DELETE ON integrations.seen_field TO integrations_app;

ALTER TABLE integrations.resource_sync
    ADD COLUMN schema_changes text[] NOT NULL DEFAULT '{}';
