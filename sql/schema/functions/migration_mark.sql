CREATE OR REPLACE FUNCTION coterie.migration_mark(p_node text, p_incarnation bigint, p_plan text, p_manifest text, p_state text, p_mark jsonb, p_done bigint[], p_message text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    said text;
BEGIN
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.expires_at > coterie.clock() AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT r.message INTO said FROM coterie.migration_reading r WHERE r.plan = p_plan FOR UPDATE;
    UPDATE coterie.migration_reading r
    SET state = p_state, mark = coalesce(p_mark, r.mark), files = p_done[1], bytes = p_done[2], message = left(p_message, 2000), changed_at = coterie.clock()
    WHERE r.plan = p_plan AND r.manifest = p_manifest AND r.state = 'reading' AND (r.node, r.incarnation) = (p_node, p_incarnation);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_state IN ('well', 'bad') THEN
        PERFORM coterie.migration_read(p_plan, p_node, p_state = 'well', p_message, p_node);
    ELSIF p_state = 'asked' AND said IS DISTINCT FROM left(p_message, 2000) THEN
        INSERT INTO coterie.event (node, kind, subject, reason) VALUES (p_node, 'migration.given_up', p_plan, nullif(left(p_message, 2000), ''));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.migration_mark(text, bigint, text, text, text, jsonb, bigint[], text) IS
    'A node that reads back what a plan has moved says how far it is (files and bytes) and with what it goes on; state asked gives it up with a message, well or bad ends it. False when it is not this node''s to read any more.';
REVOKE ALL ON FUNCTION coterie.migration_mark(text, bigint, text, text, text, jsonb, bigint[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.migration_mark(text, bigint, text, text, text, jsonb, bigint[], text) TO coterie_agent;
