CREATE OR REPLACE FUNCTION coterie.license_checkin(
    p_pool text, p_holder text, p_session text DEFAULT '', p_host text DEFAULT '', p_node text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off SET jit = off
    SET lock_timeout = '5s' AS $$
DECLARE
    mine coterie.session := coterie.license_session(p_node);
    used coterie.license_use;
    p coterie.license_pool;
    step coterie.license_step;
    before integer;
BEGIN
    PERFORM set_config('idle_in_transaction_session_timeout', '3s', true);
    p := coterie.license_open(p_pool);
    used := coterie.license_asked(p_pool, p_holder, p_session, p_host, mine);
    PERFORM coterie.license_alive(mine.node, mine.incarnation);
    before := p.in_use + p.over;
    step := coterie.license_let(p, used, 'released');
    IF step.seats <> 0 OR step.over <> 0 THEN
        p.in_use := p.in_use + step.seats;
        p.over := p.over + step.over;
        PERFORM coterie.license_note(p, before, before, p.over - step.over, used.since);
    END IF;
    RETURN step.answer;
END $$;
COMMENT ON FUNCTION coterie.license_checkin(text, text, text, text, text) IS
    'Gives a use back: released, kept (the holder uses the seat elsewhere, too) or none (given back before, or never had). It never touches the use of another session, node or holder. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.license_checkin(text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_checkin(text, text, text, text, text) TO coterie_agent;
