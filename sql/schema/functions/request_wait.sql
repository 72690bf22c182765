CREATE OR REPLACE FUNCTION coterie.request_wait() RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT extract(epoch FROM min(q.again_at) - coterie.clock())::double precision * 1000
    FROM coterie.request q WHERE q.node IS NULL AND q.again_at > coterie.clock()
$$;
COMMENT ON FUNCTION coterie.request_wait() IS 'In how many milliseconds the next attempt of a request is due; null when none is waited for.';
REVOKE ALL ON FUNCTION coterie.request_wait() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.request_wait() TO coterie_agent;
