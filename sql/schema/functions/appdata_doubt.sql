-- after functions/run_request.sql
CREATE OR REPLACE FUNCTION coterie.appdata_doubt(p_node text, p_incarnation bigint, p_tree text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    scans text;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE coterie.appdata_tree x
    SET doubted_at = coterie.clock(), doubted_by = p_node, doubt = left(p_reason, 500), doubts = x.doubts + 1
    WHERE x.name = p_tree;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT j.name INTO scans FROM coterie.job j WHERE j.action = 'coterie.verify-manifest' AND j.enabled AND j.paused_at IS NULL ORDER BY j.name LIMIT 1;
    IF p_tree = 'share' AND scans IS NOT NULL THEN
        PERFORM coterie.run_request(scans, p_node, left(p_reason, 500));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.appdata_doubt(text, bigint, text, text) IS
    'A node tells that it may have missed changes of a tree, and why: a job whose action is coterie.verify-manifest is asked for a run. False when another life of the node is at work. The doubt stands until a scan that began later has seen the whole tree.';
REVOKE ALL ON FUNCTION coterie.appdata_doubt(text, bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_doubt(text, bigint, text, text) TO coterie_agent;
