CREATE OR REPLACE FUNCTION coterie.session_end(p_node text, p_incarnation bigint, p_cause text, p_rule text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    gone coterie.session;
BEGIN
    IF p_cause = 'crash' THEN
        PERFORM coterie.license_died(p_node, p_incarnation); -- also when others have ended the session before
    END IF;
    DELETE FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation
      AND (s.login = session_user OR pg_has_role(session_user, 'coterie_operator', 'MEMBER'))
    RETURNING * INTO gone;
    IF NOT FOUND THEN
        RETURN false; -- already ended: saying it twice is harmless
    END IF;
    PERFORM coterie.leases_free(gone, p_cause);
    INSERT INTO coterie.event (node, kind, subject, since, rule, detail)
    VALUES (p_node, 'session.ended', p_node, gone.renewed_at, p_rule,
            jsonb_build_object('incarnation', p_incarnation, 'cause', p_cause));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.session_end(text, bigint, text, text) IS
    'Ends exactly one session (a graceful leave, or the last will of a node that is dead) and frees its leases. False when it had ended before.';
REVOKE ALL ON FUNCTION coterie.session_end(text, bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.session_end(text, bigint, text, text) TO coterie_agent, coterie_operator;
