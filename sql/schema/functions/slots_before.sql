CREATE OR REPLACE FUNCTION coterie.slots_before(p_job text, p_before timestamptz, p_most integer, p_started boolean) RETURNS timestamptz[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
BEGIN
    -- A view with a security barrier cannot use the order of the primary key: to read the last ten of a hundred
    -- thousand runs it would sort them all. Whoever names their slots reads just those.
    RETURN ARRAY(SELECT r.due_at FROM coterie.run r
                 WHERE r.job = p_job AND r.due_at < p_before AND (NOT p_started OR r.started_at IS NOT NULL)
                 ORDER BY r.due_at DESC LIMIT p_most);
END $$;
COMMENT ON FUNCTION coterie.slots_before(text, timestamptz, integer, boolean) IS
    'The last slots of a job before an instant that have rows, or that were run: to read their rows from coterie.runs, which takes long otherwise when there are very many.';
REVOKE ALL ON FUNCTION coterie.slots_before(text, timestamptz, integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.slots_before(text, timestamptz, integer, boolean) TO coterie_reader;
