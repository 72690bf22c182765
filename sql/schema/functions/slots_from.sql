CREATE OR REPLACE FUNCTION coterie.slots_from(p_job text, p_from timestamptz, p_most integer) RETURNS timestamptz[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
BEGIN
    RETURN ARRAY(SELECT r.due_at FROM coterie.run r
                 WHERE r.job = p_job AND r.due_at >= p_from ORDER BY r.due_at LIMIT p_most);
END $$;
COMMENT ON FUNCTION coterie.slots_from(text, timestamptz, integer) IS 'The first slots of a job from an instant on that have rows; see slots_before.';
REVOKE ALL ON FUNCTION coterie.slots_from(text, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.slots_from(text, timestamptz, integer) TO coterie_reader;
