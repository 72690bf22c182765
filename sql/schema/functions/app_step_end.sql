CREATE OR REPLACE FUNCTION coterie.app_step_end(p_setup text, p_step text, p_token bigint, p_done boolean, p_made text, p_said text, p_by text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    node_of text;
BEGIN
    UPDATE coterie.app_step s
    SET state = CASE WHEN p_done THEN 'done' ELSE 'failed' END, made = nullif(p_made, ''), said = left(p_said, 2000), ended_at = coterie.clock(), heard_at = coterie.clock()
    WHERE s.setup = p_setup AND s.name = p_step AND s.token = p_token AND s.state = 'doing'
    RETURNING s.node INTO node_of;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, actor, reason, detail)
    VALUES (node_of, CASE WHEN p_done THEN 'app.step_done' ELSE 'app.step_failed' END, p_setup || '/' || p_step, p_by, nullif(left(p_said, 2000), ''),
            jsonb_build_object('number', p_token, 'made', nullif(p_made, '')));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.app_step_end(text, text, bigint, boolean, text, text, text) IS
    'The process that does a step says that it is done or has failed, with the digest of the bundle that it made and what there is to say. False when the step is not its any more.';
REVOKE ALL ON FUNCTION coterie.app_step_end(text, text, bigint, boolean, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_step_end(text, text, bigint, boolean, text, text, text) TO coterie_agent, coterie_operator;
