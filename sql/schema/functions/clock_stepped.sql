CREATE OR REPLACE FUNCTION coterie.clock_stepped(p_node text, p_incarnation bigint, p_by_ms bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM coterie.session s
                   WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user) THEN
        RETURN false;
    END IF;
    -- Every node sees the same jump; one row of about that size within a minute stands for all of them.
    IF EXISTS (SELECT FROM coterie.event e
               WHERE e.subject = 'database' AND e.kind = 'clock.stepped' AND e.at BETWEEN coterie.clock() - interval '1min' AND coterie.clock() + interval '1min'
                 AND abs((e.detail->>'by_ms')::bigint - p_by_ms) < 2000) THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    VALUES (p_node, 'clock.stepped', 'database', format('the database''s clock jumped by %s', p_by_ms * interval '1ms'), jsonb_build_object('by_ms', p_by_ms));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.clock_stepped(text, bigint, bigint) IS 'A node records that the database''s clock jumped; false when another node has.';
REVOKE ALL ON FUNCTION coterie.clock_stepped(text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.clock_stepped(text, bigint, bigint) TO coterie_agent;
