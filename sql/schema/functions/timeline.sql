CREATE OR REPLACE FUNCTION coterie.timeline() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    -- Neither SECURITY DEFINER nor a search_path of its own: so it is part of its caller's plan.
    -- From the name of the current WAL file: pg_control_checkpoint() still says the old one right after a promotion.
    SELECT ('x' OPERATOR(pg_catalog.||) pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::pg_catalog.bit(32)::bigint
$$;
COMMENT ON FUNCTION coterie.timeline() IS 'The timeline that the server writes: it rises with each promotion and each restore to a point in time.';
REVOKE ALL ON FUNCTION coterie.timeline() FROM PUBLIC;
