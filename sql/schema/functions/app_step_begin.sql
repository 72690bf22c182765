CREATE OR REPLACE FUNCTION coterie.app_step_begin(p_setup text, p_plan text, p_step text, p_node text, p_token bigint, p_beats bigint, p_by text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    mine bigint;
    was text;
BEGIN
    -- One at a time, and none while the plan is changed.
    SELECT a.token + 1 INTO mine FROM coterie.app_setup a WHERE a.name = p_setup AND a.plan = p_plan FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT s.state INTO was FROM coterie.app_step s
    WHERE s.setup = p_setup AND s.name = p_step AND s.node = p_node AND s.token = p_token
      AND (s.state IN ('open', 'failed')
           -- Nobody takes what somebody does who is heard of: the taker has seen no beat for as long, too.
           OR s.state = 'doing' AND s.beats = p_beats AND s.heard_at <= coterie.clock() - interval '12 seconds')
      AND NOT EXISTS (SELECT FROM coterie.app_step b WHERE b.setup = p_setup AND b.name = ANY (s.after) AND b.state <> 'done')
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE coterie.app_setup a SET token = mine WHERE a.name = p_setup;
    UPDATE coterie.app_step s
    SET state = 'doing', token = mine, beats = 0, begun_by = p_by, begun_at = coterie.clock(), heard_at = coterie.clock(), ended_at = NULL, made = NULL, said = ''
    WHERE s.setup = p_setup AND s.name = p_step;
    INSERT INTO coterie.event (node, kind, subject, actor, detail)
    VALUES (p_node, 'app.step_begun', p_setup || '/' || p_step, p_by, jsonb_build_object('number', mine, 'was', was));
    RETURN mine;
END $$;
COMMENT ON FUNCTION coterie.app_step_begin(text, text, text, text, bigint, bigint, text) IS
    'A node begins a step of a plan, as it has seen it (token and beats): the number by which it alone goes on with it. Null when a step before it is not done, somebody else has it, or the plan has changed. What a process has that is silent can be taken after 12 seconds.';
REVOKE ALL ON FUNCTION coterie.app_step_begin(text, text, text, text, bigint, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_step_begin(text, text, text, text, bigint, bigint, text) TO coterie_agent, coterie_operator;
