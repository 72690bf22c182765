CREATE OR REPLACE FUNCTION coterie.node_drain(p_name text, p_by text, p_reason text, p_allow_empty boolean)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Two operators who drain the last two nodes at once wait for each other here.
    PERFORM FROM coterie.node n ORDER BY n.name FOR NO KEY UPDATE;
    IF NOT p_allow_empty
       AND EXISTS (SELECT FROM coterie.nodes n WHERE n.name = p_name AND n.state = 'ready' AND n.goal = 'ready')
       AND NOT EXISTS (SELECT FROM coterie.nodes n WHERE n.name <> p_name AND n.state = 'ready' AND n.goal = 'ready') THEN
        RAISE EXCEPTION '% is the last ready node; nobody would serve', p_name USING ERRCODE = 'CT014';
    END IF;
    RETURN coterie.node_goal(p_name, 'drained', p_by, p_reason);
END $$;
COMMENT ON FUNCTION coterie.node_drain(text, text, text, boolean) IS
    'An operator sets a node''s goal to drained; raises CT014 when it is the last ready node, unless told that it may be. False when that was its goal already or there is no such node.';
REVOKE ALL ON FUNCTION coterie.node_drain(text, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_drain(text, text, text, boolean) TO coterie_operator;
