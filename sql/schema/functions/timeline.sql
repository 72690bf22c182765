CREATE OR REPLACE FUNCTION coterie.timeline() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- From the name of the current WAL file: pg_control_checkpoint() still says the old one right after a promotion.
    SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
$$;
COMMENT ON FUNCTION coterie.timeline() IS 'The timeline that the server writes: it rises with each promotion and each restore to a point in time.';
REVOKE ALL ON FUNCTION coterie.timeline() FROM PUBLIC;
