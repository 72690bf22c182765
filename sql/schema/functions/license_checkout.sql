CREATE OR REPLACE FUNCTION coterie.license_checkout(
    p_pool text, p_holder text, p_session text DEFAULT '', p_host text DEFAULT '', p_node text DEFAULT NULL)
RETURNS TABLE (granted boolean, seat integer, kind text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off SET jit = off
    SET lock_timeout = '5s' AS $$
#variable_conflict use_column
DECLARE
    mine coterie.session := coterie.license_session(p_node);
    settled boolean := coterie.license_fence(mine.node, mine.incarnation, NULL);
    used coterie.license_use;
    p coterie.license_pool;
    step coterie.license_step;
    before integer;
BEGIN
    -- The pool is locked until the caller's transaction ends. One that falls asleep in it is ended by the server.
    PERFORM set_config('idle_in_transaction_session_timeout', '3s', true);
    p := coterie.license_open(p_pool);
    used := coterie.license_asked(p_pool, p_holder, p_session, p_host, mine);
    PERFORM coterie.license_alive(mine.node, mine.incarnation);
    IF NOT settled THEN
        RETURN QUERY SELECT false, NULL::integer, NULL::text, 'a new era settles';
        RETURN;
    END IF;
    before := p.in_use + p.over;
    step := coterie.license_take(p, used, coterie.license_who(p.domains, p_holder), 'asked');
    IF step.seats <> 0 OR step.over <> 0 THEN
        p.in_use := p.in_use + step.seats;
        p.over := p.over + step.over;
        PERFORM coterie.license_note(p, before, p.in_use + p.over, p.over, used.since);
    END IF;
    RETURN QUERY SELECT step.answer <> 'denied', step.seat, step.kind, step.reason;
END $$;
COMMENT ON FUNCTION coterie.license_checkout(text, text, text, text, text) IS
    'Checks a seat of a pool out for a holder, under the living session of this login (or of p_node). It stays checked out as long as that session lives, until license_checkin. Saying it twice is harmless. Raises CT002 without a session, CT030 without the pool.';
REVOKE ALL ON FUNCTION coterie.license_checkout(text, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_checkout(text, text, text, text, text) TO coterie_agent;
