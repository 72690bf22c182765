CREATE OR REPLACE FUNCTION coterie.storage_report(
    p_node text, p_incarnation bigint, p_state coterie.storage_state, p_reason text,
    p_marker_ok boolean, p_readable boolean, p_writable boolean,
    p_fs_type text, p_source text, p_options text,
    p_latency_ms real, p_free_bytes bigint, p_generation bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before coterie.storage_state;
    this_moment timestamptz := coterie.clock();
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT g.state INTO before FROM coterie.storage g WHERE g.node = p_node FOR UPDATE;
    INSERT INTO coterie.storage AS g (node, state, reason, marker_ok, readable, writable, fs_type, source, options,
                                      latency_ms, free_bytes, generation, since, checked_at)
    VALUES (p_node, p_state, left(p_reason, 2000), p_marker_ok, p_readable, p_writable, left(p_fs_type, 100), left(p_source, 1000), left(p_options, 2000),
            p_latency_ms, p_free_bytes, p_generation, this_moment, this_moment)
    ON CONFLICT (node) DO UPDATE
    SET state = excluded.state, reason = excluded.reason, marker_ok = excluded.marker_ok,
        readable = excluded.readable, writable = excluded.writable, fs_type = excluded.fs_type,
        source = excluded.source, options = excluded.options, latency_ms = excluded.latency_ms,
        free_bytes = excluded.free_bytes, generation = excluded.generation, checked_at = excluded.checked_at,
        since = CASE WHEN g.state = excluded.state THEN g.since ELSE excluded.since END;
    IF p_marker_ok AND EXISTS (SELECT FROM coterie.cluster c WHERE c.share_generation < p_generation) THEN
        UPDATE coterie.cluster SET share_generation = p_generation WHERE share_generation < p_generation;
        INSERT INTO coterie.event (node, kind, subject, detail)
        VALUES (p_node, 'storage.advanced', p_node, jsonb_build_object('generation', p_generation));
    END IF;
    IF before IS DISTINCT FROM p_state THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (p_node, 'storage.changed', p_node, nullif(left(p_reason, 2000), ''),
                jsonb_build_object('from', before, 'to', p_state));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.storage_report(text, bigint, coterie.storage_state, text, boolean, boolean, boolean, text, text, text, real, bigint, bigint) IS
    'A node reports what it sees of the share; false when another life of the node is at work. Only a change of state is an event. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.storage_report(text, bigint, coterie.storage_state, text, boolean, boolean, boolean, text, text, text, real, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.storage_report(text, bigint, coterie.storage_state, text, boolean, boolean, boolean, text, text, text, real, bigint, bigint) TO coterie_agent;
