ALTER TABLE integrations.integration_sync_job
    ADD COLUMN parks bigint NOT NULL DEFAULT 0;
