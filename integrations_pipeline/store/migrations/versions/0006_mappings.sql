-- Transforms are steps in an order; nothing has been stored here so far.
ALTER TABLE integrations.integration_field_mapping
    ALTER COLUMN transforms SET DEFAULT '[]',
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD CHECK (jsonb_typeof(transforms) = 'array'),
    ADD CHECK (direction IN ('pull', 'push'));
CREATE UNIQUE INDEX integration_field_mapping_target ON integrations.integration_field_mapping
    (tenant_id, integration_id, resource, direction, target);

-- What the mapped fields of a resource's rows were made by: when it differs from what is wanted,
-- they are made again.
CREATE TABLE integrations.mapping_state (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    integration_id uuid NOT NULL,
    resource text NOT NULL,
    digest text NOT NULL,
    fields text[] NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id, resource),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations.integration ON DELETE CASCADE
);

CREATE TABLE integrations.mapping_secret (
    tenant_id uuid NOT NULL REFERENCES integrations.tenant ON DELETE CASCADE,
    id uuid NOT NULL CHECK (id = tenant_id),
    secret bytea NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE TRIGGER sealed BEFORE INSERT OR UPDATE OF secret
    ON integrations.mapping_secret FOR EACH ROW
    EXECUTE FUNCTION integrations.check_sealed('secret');

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mapping_state', 'mapping_secret'] LOOP
        EXECUTE format('ALTER TABLE integrations.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE integrations.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant_wall ON integrations.%I
             USING (tenant_id = integrations.current_tenant() OR integrations.is_system())', name);
        EXECUTE format(
            'GRANT SELECT, INSERT, UPDATE, DELETE ON integrations.%I TO integrations_app', name);
    END LOOP;
END $$;
