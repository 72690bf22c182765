CREATE OR REPLACE FUNCTION coterie.job_paused(p_job text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT EXISTS (SELECT FROM coterie.job_change c WHERE c.paused_at IS NOT NULL AND c.unpaused_at IS NULL)
        OR EXISTS (SELECT FROM coterie.job j WHERE j.name = p_job AND j.paused_at IS NOT NULL AND j.unpaused_at IS NULL)
$$;
COMMENT ON FUNCTION coterie.job_paused(text) IS 'Whether a job is paused, alone or with all others.';
REVOKE ALL ON FUNCTION coterie.job_paused(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_paused(text) TO coterie_reader;
