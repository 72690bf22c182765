CREATE OR REPLACE FUNCTION coterie.node_goal(p_name text, p_goal coterie.node_goal, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.node n
    SET goal = p_goal, goal_by = p_by, goal_reason = p_reason, goal_at = coterie.clock()
    WHERE n.name = p_name AND n.goal <> p_goal;
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_name, 'goal.set', p_name, p_reason, jsonb_build_object('goal', p_goal, 'by', p_by));
    END IF;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.node_goal(text, coterie.node_goal, text, text) IS
    'An operator sets what a node is to become; false when it was that already or there is no such node.';
REVOKE ALL ON FUNCTION coterie.node_goal(text, coterie.node_goal, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_goal(text, coterie.node_goal, text, text) TO coterie_operator;
