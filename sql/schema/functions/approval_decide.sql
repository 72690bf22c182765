CREATE OR REPLACE FUNCTION coterie.approval_decide(p_id text, p_node text, p_state coterie.approval_state, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    INSERT INTO coterie.approval AS a (id, node, state, how, decided_at, decided_by, reason)
    VALUES (p_id, p_node, p_state, 'operator', coterie.clock(), left(p_by, 200), nullif(left(p_reason, 2000), ''))
    ON CONFLICT (id) DO UPDATE
    SET node = excluded.node, state = excluded.state, how = excluded.how, decided_at = excluded.decided_at, decided_by = excluded.decided_by, reason = excluded.reason
    WHERE a.state <> excluded.state OR a.node <> excluded.node;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    VALUES (p_node, 'approval.decided', p_node, nullif(left(p_reason, 2000), ''), jsonb_build_object('id', p_id, 'state', p_state, 'how', 'operator', 'by', p_by));
    -- A node that was evicted may come again, as one that left.
    UPDATE coterie.node n SET state = 'left', state_at = coterie.clock() WHERE n.id = p_id AND n.state = 'evicted' AND p_state = 'approved';
    PERFORM coterie.trust_settle(p_node || ' ' || p_state);
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.approval_decide(text, text, coterie.approval_state, text, text) IS
    'An operator approves an installation, or withdraws that; false when it was so already.';
REVOKE ALL ON FUNCTION coterie.approval_decide(text, text, coterie.approval_state, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.approval_decide(text, text, coterie.approval_state, text, text) TO coterie_operator;
