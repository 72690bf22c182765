CREATE OR REPLACE FUNCTION coterie.trust_report(
    p_node text, p_incarnation bigint, p_version bigint, p_digest text, p_state coterie.trust_rendering, p_error text, p_mended text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before coterie.trust_node;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT * INTO before FROM coterie.trust_node t WHERE t.node = p_node FOR UPDATE;
    INSERT INTO coterie.trust_node AS t (node, incarnation, version, digest, state, error)
    VALUES (p_node, p_incarnation, p_version, p_digest, p_state, left(p_error, 2000))
    ON CONFLICT (node) DO UPDATE
    SET incarnation = excluded.incarnation, version = excluded.version, digest = excluded.digest, state = excluded.state,
        error = excluded.error, reported_at = coterie.clock()
    WHERE (t.incarnation, t.version, t.digest, t.state, t.error) IS DISTINCT FROM
          (excluded.incarnation, excluded.version, excluded.digest, excluded.state, excluded.error);
    -- That a node follows is no news; that it cannot, or that somebody's hand was in its file, is.
    IF p_mended <> '' THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_node, 'trust.mended', p_node, left(p_mended, 2000), jsonb_build_object('version', p_version));
    END IF;
    IF (before.state, before.error) IS DISTINCT FROM (p_state, left(p_error, 2000)) AND p_error <> '' THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_node, 'trust.failed', p_node, left(p_error, 2000), jsonb_build_object('version', p_version));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.trust_report(text, bigint, bigint, text, coterie.trust_rendering, text, text) IS
    'A node tells which version of the trust store it has rendered, why not, and which file it mended; false when another life of the node is at work.';
REVOKE ALL ON FUNCTION coterie.trust_report(text, bigint, bigint, text, coterie.trust_rendering, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_report(text, bigint, bigint, text, coterie.trust_rendering, text, text) TO coterie_agent;
