CREATE OR REPLACE FUNCTION coterie.run_head() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT last_value FROM coterie.run_seq
$$;
COMMENT ON FUNCTION coterie.run_head() IS 'A number that moves whenever a run begins, ends or is accounted for, possibly a moment before the row is visible.';
REVOKE ALL ON FUNCTION coterie.run_head() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_head() TO coterie_reader;
