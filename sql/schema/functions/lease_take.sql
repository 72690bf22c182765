CREATE OR REPLACE FUNCTION coterie.lease_take(p_node text, p_incarnation bigint, p_name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    this_era bigint;
    held coterie.lease;
    taken coterie.lease;
BEGIN
    -- Rows that a promotion, a restore or a clone brought here prove nothing until a heartbeat has begun the new era.
    SELECT c.era INTO this_era
    FROM coterie.cluster c, coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user AND s.expires_at > coterie.clock()
      AND c.era_settled AND coterie.era_here(c);
    IF NOT FOUND THEN
        IF NOT EXISTS (SELECT FROM coterie.session s
                       WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user AND s.expires_at > coterie.clock()) THEN
            RAISE EXCEPTION 'no living session %/% of this login', quote_literal(left(p_node, 80)), p_incarnation
                USING ERRCODE = 'CT002', HINT = 'Begin one with coterie.session_begin and renew it with coterie.session_renew.';
        END IF;
        RETURN NULL;
    END IF;

    -- A free lease, in one step. One that was given in a later era is not for a statement that slept since this one.
    UPDATE coterie.lease l
    SET node = p_node, incarnation = p_incarnation, token = (this_era << 40) + nextval('coterie.token_seq'), acquired_at = coterie.clock(),
        goal = NULL, goal_now = false
    WHERE l.name = p_name AND l.node IS NULL AND l.class IS NULL AND l.token >> 40 <= this_era
    RETURNING * INTO taken;
    IF NOT FOUND THEN
        -- Locked first, looked at afterwards: whoever took it meanwhile is seen, with the session that it has.
        SELECT * INTO held FROM coterie.lease l
        WHERE l.name = p_name AND l.class IS NULL AND l.token >> 40 <= this_era
        FOR NO KEY UPDATE SKIP LOCKED;
        IF held.node = p_node AND held.incarnation = p_incarnation THEN
            RETURN held.token; -- mine already: saying it twice is harmless
        END IF;
        IF held.name IS NULL AND p_name !~ '/' AND NOT EXISTS (SELECT FROM coterie.lease l WHERE l.name = p_name) THEN
            -- Nobody has held it for so long that its row was swept away.
            PERFORM coterie.lease_declare(ARRAY[p_name], NULL);
            SELECT * INTO held FROM coterie.lease l WHERE l.name = p_name AND l.class IS NULL AND l.token >> 40 <= this_era FOR NO KEY UPDATE SKIP LOCKED;
        END IF;
        IF held.name IS NULL OR EXISTS (SELECT FROM coterie.session s WHERE s.node = held.node AND s.incarnation = held.incarnation) THEN
            RETURN NULL;
        END IF;
        UPDATE coterie.lease l
        SET node = p_node, incarnation = p_incarnation, token = (this_era << 40) + nextval('coterie.token_seq'), acquired_at = coterie.clock(),
            from_node = coalesce(held.node, held.from_node),
            freed_at = CASE WHEN held.node IS NULL THEN held.freed_at END,
            freed_by = CASE WHEN held.node IS NULL THEN held.freed_by ELSE 'crash' END,
            goal = NULL, goal_now = false
        WHERE l.name = p_name
        RETURNING * INTO taken;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, token, peer, since, reason)
    VALUES (p_node, 'lease.claimed', p_name, taken.token, taken.from_node, taken.freed_at, taken.freed_by);
    RETURN taken.token;
END $$;
COMMENT ON FUNCTION coterie.lease_take(text, bigint, text) IS
    'Takes a lease that has no class for a living session which an SQL client keeps, and returns its token; null while another holds it. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.lease_take(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.lease_take(text, bigint, text) TO coterie_agent;
