CREATE OR REPLACE FUNCTION coterie.license_open(p_name text) RETURNS coterie.license_pool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    p coterie.license_pool;
BEGIN
    -- What is acknowledged must survive a crash of the server, whatever the session says.
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    SELECT l.* INTO p FROM coterie.license_pool l WHERE l.name = p_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN coterie.license_mend(p);
END $$;
COMMENT ON FUNCTION coterie.license_open(text) IS
    'Locks a pool for this transaction and brings it up to date; null when there is none.';
REVOKE ALL ON FUNCTION coterie.license_open(text) FROM PUBLIC;
