CREATE OR REPLACE FUNCTION coterie.approval_switch(p_on boolean, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    UPDATE coterie.setting s SET approval = p_on, generation = s.generation + 1, changed_by = session_user, changed_at = coterie.clock()
    WHERE s.approval <> p_on;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_on THEN
        -- Who is in the cluster need not ask.
        INSERT INTO coterie.approval AS a (id, node, host, state, how, decided_at, decided_by)
        SELECT n.id, n.name, n.host, 'approved', 'before', coterie.clock(), left(p_by, 200)
        FROM coterie.node n WHERE n.state NOT IN ('left', 'evicted') AND n.id ~ '^[0-9a-f]{32}$'
        ON CONFLICT (id) DO UPDATE SET state = 'approved', how = 'before', decided_at = coterie.clock(), decided_by = excluded.decided_by
        WHERE a.state = 'pending';
    END IF;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('approval.switched', 'approval', nullif(left(p_reason, 2000), ''), jsonb_build_object('by', p_by, 'on', p_on));
    PERFORM coterie.trust_settle(CASE WHEN p_on THEN 'approval is asked for' ELSE 'approval is not asked for' END);
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.approval_switch(boolean, text, text) IS
    'An operator decides whether installations that join must be approved; false when it was so already. Nodes that are in the cluster then are approved.';
REVOKE ALL ON FUNCTION coterie.approval_switch(boolean, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.approval_switch(boolean, text, text) TO coterie_operator;
