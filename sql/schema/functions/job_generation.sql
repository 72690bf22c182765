CREATE OR REPLACE FUNCTION coterie.job_generation() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT generation FROM coterie.job_change
$$;
COMMENT ON FUNCTION coterie.job_generation() IS 'Number of the last change of definitions and requests.';
REVOKE ALL ON FUNCTION coterie.job_generation() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_generation() TO coterie_reader;
