CREATE OR REPLACE FUNCTION coterie.last_token() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN (SELECT era FROM coterie.cluster) << 40 | (SELECT last_value - (NOT is_called)::int FROM coterie.token_seq);
END $$;
COMMENT ON FUNCTION coterie.last_token() IS 'The highest fencing token so far.';
REVOKE ALL ON FUNCTION coterie.last_token() FROM PUBLIC;
