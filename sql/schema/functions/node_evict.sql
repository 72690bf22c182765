CREATE OR REPLACE FUNCTION coterie.node_evict(p_name text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    n coterie.node;
BEGIN
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    SELECT * INTO n FROM coterie.node o WHERE o.name = p_name FOR UPDATE;
    IF NOT FOUND OR n.state = 'evicted' THEN
        RETURN false;
    END IF;
    -- Its authority ends with its session, and that is not ended over its head: it might still act.
    IF EXISTS (SELECT FROM coterie.session s WHERE s.node = p_name) THEN
        RAISE EXCEPTION '% has a session', quote_literal(p_name) USING ERRCODE = 'CT053';
    END IF;
    UPDATE coterie.node o SET state = 'evicted', state_at = coterie.clock(), message = left('evicted by ' || p_by, 2000) WHERE o.name = p_name;
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    VALUES (p_name, 'node.evicted', p_name, nullif(left(p_reason, 2000), ''), jsonb_build_object('by', p_by, 'id', n.id));
    IF n.id ~ '^[0-9a-f]{32}$' THEN
        INSERT INTO coterie.approval AS a (id, node, host, state, how, decided_at, decided_by, reason)
        VALUES (n.id, p_name, n.host, 'withdrawn', 'operator', coterie.clock(), left(p_by, 200), nullif(left(p_reason, 2000), ''))
        ON CONFLICT (id) DO UPDATE SET state = 'withdrawn', how = 'operator', decided_at = coterie.clock(), decided_by = excluded.decided_by, reason = excluded.reason;
    END IF;
    PERFORM coterie.trust_settle(p_name || ' evicted');
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.node_evict(text, text, text) IS
    'An operator puts a node out of the cluster for good: no certificate of it is trusted, and its installation may not join again until it is approved. CT053 while it has a session; false when it is out already or was never in.';
REVOKE ALL ON FUNCTION coterie.node_evict(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.node_evict(text, text, text) TO coterie_operator;
