CREATE OR REPLACE FUNCTION coterie.notice_take(p_node text, p_incarnation bigint, p_most integer)
RETURNS TABLE (id bigint, at timestamptz, job text, due_at timestamptz, attempt integer, kind text, node text, times integer, text text, told text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation
                   AND s.login = session_user AND s.expires_at > coterie.clock()) THEN
        RETURN;
    END IF;
    -- Told by the node that ran it; by another when that is gone, or has no hooks and so did not take it. What the
    -- dead were telling is told again: better twice than never.
    RETURN QUERY
    WITH mine AS (
        SELECT n.id FROM coterie.notice n
        WHERE n.sent_at IS NULL AND n.at > coterie.clock() - interval '1 day'
          AND (n.sender IS NULL OR NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = n.sender AND s.incarnation = n.incarnation))
          AND coalesce(n.retry_at, n.at) <= coterie.clock()
          AND (n.node = p_node OR n.at < coterie.clock() - interval '10s'
               OR NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = n.node AND s.expires_at > coterie.clock()))
        ORDER BY n.id LIMIT p_most FOR UPDATE OF n SKIP LOCKED
    )
    UPDATE coterie.notice n SET sender = p_node, incarnation = p_incarnation FROM mine WHERE n.id = mine.id
    RETURNING n.id, n.at, n.job, n.due_at, n.attempt::integer, n.kind, n.node, n.times, n.text, n.told;
END $$;
COMMENT ON FUNCTION coterie.notice_take(text, bigint, integer) IS 'Takes notices to tell, for a living session: each is with one node at a time.';
REVOKE ALL ON FUNCTION coterie.notice_take(text, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.notice_take(text, bigint, integer) TO coterie_agent;
