-- Who the tenant is is asked once for each statement, no longer once for each row.
DO $$
DECLARE
    walled record;
BEGIN
    FOR walled IN
        SELECT schemaname, tablename FROM pg_policies
        WHERE policyname = 'tenant_wall' AND qual = '(tenant_id = integrations.current_tenant())'
    LOOP
        EXECUTE format('ALTER POLICY tenant_wall ON %I.%I
            USING (tenant_id = (SELECT integrations.current_tenant()))',
            walled.schemaname, walled.tablename);
    END LOOP;
END
$$;
