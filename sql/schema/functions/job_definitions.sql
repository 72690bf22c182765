CREATE OR REPLACE FUNCTION coterie.job_definitions()
RETURNS TABLE (name text, schedule text, time_zone text, action text, timeout_ms bigint, overlap text, misfire text,
               enabled boolean, since timestamptz, generation bigint, requested_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT j.name, j.schedule, j.time_zone, j.action, (extract(epoch FROM j.timeout) * 1000)::bigint, j.overlap, j.misfire,
           j.enabled, j.since, j.generation, q.due_at
    FROM coterie.job j LEFT JOIN coterie.request q ON q.job = j.name
    ORDER BY j.name
$$;
COMMENT ON FUNCTION coterie.job_definitions() IS 'All definitions, each with the run that was asked for and waits.';
REVOKE ALL ON FUNCTION coterie.job_definitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_definitions() TO coterie_reader;
