CREATE OR REPLACE FUNCTION coterie.cluster_pause(p_paused boolean, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.setting
    SET paused = p_paused, paused_by = CASE WHEN p_paused THEN p_by END, paused_reason = CASE WHEN p_paused THEN nullif(p_reason, '') END,
        paused_at = CASE WHEN p_paused THEN coterie.clock() END,
        generation = generation + 1, changed_by = session_user, changed_at = coterie.clock()
    WHERE paused <> p_paused;
    IF FOUND THEN
        INSERT INTO coterie.event (kind, subject, reason, detail)
        SELECT CASE WHEN p_paused THEN 'cluster.paused' ELSE 'cluster.unpaused' END, c.name, nullif(p_reason, ''), jsonb_build_object('by', p_by)
        FROM coterie.cluster c;
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.cluster_pause(boolean, text, text) IS 'An operator freezes or thaws hand-overs; false when they were so already.';
REVOKE ALL ON FUNCTION coterie.cluster_pause(boolean, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.cluster_pause(boolean, text, text) TO coterie_operator;
