CREATE OR REPLACE FUNCTION coterie.timeline() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- From the name of the current WAL file: pg_control_checkpoint() still says the old one right after a promotion.
    RETURN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint;
END $$;
COMMENT ON FUNCTION coterie.timeline() IS 'The timeline that the server writes: it rises with each promotion and each restore to a point in time.';
REVOKE ALL ON FUNCTION coterie.timeline() FROM PUBLIC;
