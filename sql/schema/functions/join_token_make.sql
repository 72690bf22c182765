CREATE OR REPLACE FUNCTION coterie.join_token_make(p_id text, p_hash bytea, p_node text, p_for interval, p_by text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    ends timestamptz := coterie.clock() + p_for;
BEGIN
    DELETE FROM coterie.join_token t WHERE t.expires_at < coterie.clock() - interval '30 days';
    INSERT INTO coterie.join_token (id, hash, node, expires_at, made_by) VALUES (p_id, p_hash, nullif(p_node, ''), ends, left(p_by, 200));
    INSERT INTO coterie.event (kind, subject, detail)
    VALUES ('approval.token', p_id, jsonb_build_object('by', p_by, 'for', nullif(p_node, ''), 'expires_at', ends));
    RETURN ends;
END $$;
COMMENT ON FUNCTION coterie.join_token_make(text, bytea, text, interval, text) IS
    'An operator makes a one-time token, of which only a hash is kept; returns until when it is good.';
REVOKE ALL ON FUNCTION coterie.join_token_make(text, bytea, text, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.join_token_make(text, bytea, text, interval, text) TO coterie_operator;
