-- What the accounts and apps at the services allow at the moment, shared by all that call them.
-- A row belongs to no tenant and names none: its key and the users in it are digests.
CREATE TABLE integrations.quota_account (
    key text PRIMARY KEY,
    state jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Rewritten with every request: a new version fits on the page of the old one.
ALTER TABLE integrations.quota_account SET (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON integrations.quota_account TO integrations_app;
