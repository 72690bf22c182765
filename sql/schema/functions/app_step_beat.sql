CREATE OR REPLACE FUNCTION coterie.app_step_beat(p_setup text, p_step text, p_token bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.app_step s SET beats = s.beats + 1, heard_at = coterie.clock()
    WHERE s.setup = p_setup AND s.name = p_step AND s.token = p_token AND s.state = 'doing';
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.app_step_beat(text, text, bigint) IS
    'The process that does a step says that it is still there. False when the step is not its any more.';
REVOKE ALL ON FUNCTION coterie.app_step_beat(text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_step_beat(text, text, bigint) TO coterie_agent, coterie_operator;
