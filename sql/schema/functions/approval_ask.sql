CREATE OR REPLACE FUNCTION coterie.approval_ask(p_id text, p_node text, p_host text, p_token text, p_proof bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.join_token;
    a coterie.approval;
    asked boolean;
    differs integer;
BEGIN
    SELECT s.approval INTO asked FROM coterie.setting s;
    SELECT * INTO a FROM coterie.approval o WHERE o.id = p_id;
    IF p_token IS NULL AND NOT asked AND a.id IS NULL THEN
        RETURN 'open';
    END IF;
    IF a.id IS NULL THEN
        IF (SELECT count(*) FROM coterie.approval o WHERE o.state = 'pending') >= 1000 THEN
            RAISE EXCEPTION 'a thousand installations wait for approval already' USING ERRCODE = 'CT052', HINT = 'coterie nodes approvals';
        END IF;
        INSERT INTO coterie.approval (id, node, host) VALUES (p_id, p_node, left(p_host, 255)) ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            INSERT INTO coterie.event (node, kind, subject, detail) VALUES (p_node, 'approval.asked', p_node, jsonb_build_object('id', p_id, 'host', left(p_host, 255)));
        END IF;
        SELECT * INTO a FROM coterie.approval o WHERE o.id = p_id;
    END IF;
    IF p_token IS NULL OR a.state = 'approved' AND a.node = p_node THEN
        RETURN a.state;
    END IF;
    SELECT * INTO t FROM coterie.join_token o WHERE o.id = p_token FOR UPDATE;
    IF NOT FOUND OR t.used_at IS NOT NULL OR t.expires_at <= coterie.clock() OR t.wrong >= 10 OR t.node <> p_node THEN
        RETURN 'refused';
    END IF;
    -- All bytes are compared, wherever they differ.
    SELECT coalesce(bit_or(get_byte(t.hash, i) # get_byte(sha256(p_proof), i)), 255) INTO differs FROM generate_series(0, 31) AS i;
    IF differs <> 0 THEN
        UPDATE coterie.join_token o SET wrong = o.wrong + 1 WHERE o.id = t.id;
        RETURN 'refused';
    END IF;
    IF a.state = 'withdrawn' THEN
        RETURN 'withdrawn'; -- somebody decided about this very installation
    END IF;
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    UPDATE coterie.join_token o SET used_at = coterie.clock(), used_by = p_id WHERE o.id = t.id;
    UPDATE coterie.approval o SET node = p_node, state = 'approved', how = 'token', decided_at = coterie.clock(), decided_by = t.made_by WHERE o.id = p_id;
    INSERT INTO coterie.event (node, kind, subject, detail)
    VALUES (p_node, 'approval.decided', p_node, jsonb_build_object('id', p_id, 'state', 'approved', 'how', 'token', 'token', t.id, 'by', t.made_by));
    PERFORM coterie.trust_settle(p_node || ' approved');
    RETURN 'approved';
END $$;
COMMENT ON FUNCTION coterie.approval_ask(text, text, text, text, bytea) IS
    'An installation asks to be approved, perhaps with a one-time token, whose secret it proves by a hash: open (nobody need ask), pending, approved, withdrawn, or refused for a token that is unknown, used, expired, for another node, or wrong.';
REVOKE ALL ON FUNCTION coterie.approval_ask(text, text, text, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.approval_ask(text, text, text, text, bytea) TO coterie_agent;
