CREATE OR REPLACE FUNCTION coterie.license_saw(p_node text, p_incarnation bigint, p_host text, p_port integer, p_answers boolean, p_latency_ms real, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    this_moment timestamptz := coterie.clock();
    before boolean;
BEGIN
    PERFORM coterie.license_alive(p_node, p_incarnation);
    IF NOT EXISTS (SELECT FROM coterie.license_server s WHERE s.host = p_host AND s.port = p_port) THEN
        RETURN false;
    END IF;
    SELECT g.answers INTO before FROM coterie.license_sight g WHERE g.node = p_node AND g.host = p_host AND g.port = p_port;
    INSERT INTO coterie.license_sight AS g (node, host, port, answers, latency_ms, reason, since, checked_at)
    VALUES (p_node, p_host, p_port, p_answers, p_latency_ms, left(coalesce(p_reason, ''), 500), this_moment, this_moment)
    ON CONFLICT (node, host, port) DO UPDATE
    SET answers = excluded.answers, latency_ms = excluded.latency_ms, reason = excluded.reason, checked_at = excluded.checked_at,
        since = CASE WHEN g.answers = excluded.answers THEN g.since ELSE excluded.since END;
    IF before IS DISTINCT FROM p_answers AND (before IS NOT NULL OR NOT p_answers) THEN
        INSERT INTO coterie.event (node, kind, subject, reason)
        VALUES (p_node, CASE WHEN p_answers THEN 'license.server_answers' ELSE 'license.server_silent' END, p_port || '@' || p_host, nullif(p_reason, ''));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.license_saw(text, bigint, text, integer, boolean, real, text) IS
    'A node reports whether an external licence server answers; only a change is an event.';
REVOKE ALL ON FUNCTION coterie.license_saw(text, bigint, text, integer, boolean, real, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_saw(text, bigint, text, integer, boolean, real, text) TO coterie_agent;
