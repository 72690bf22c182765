CREATE OR REPLACE FUNCTION coterie.session_begin(
    p_node text, p_incarnation bigint, p_takes text[],
    p_replaces bigint, p_replaces_beats bigint, p_mark bigint)
RETURNS TABLE (began boolean, incarnation bigint, beats bigint, expired boolean,
               ttl_ms double precision, heartbeat_ms double precision, margin_ms double precision, now timestamptz,
               mark bigint, quiet_ms double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    terms coterie.setting;
    old coterie.session;
    new coterie.session;
    c coterie.cluster;
BEGIN
    PERFORM coterie.era_check(p_mark);
    -- A life that begins beside the step into a new era would belong to neither.
    SELECT * INTO c FROM coterie.cluster FOR KEY SHARE;
    SELECT * INTO terms FROM coterie.setting;
    -- The former life of this node is replaced only as the caller saw it: at once when the caller
    -- has proof that its process is gone (no beats given; its own login's word), else when it is
    -- expired and stood still, as anybody may end it then: the login may be another by now.
    DELETE FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_replaces AND s.incarnation <> p_incarnation
      AND ((p_replaces_beats IS NULL AND s.login = session_user) OR (s.beats = p_replaces_beats AND coterie.is_expired(s)))
    RETURNING * INTO old;
    IF p_replaces <> 0 AND p_replaces_beats IS NULL THEN
        PERFORM coterie.license_died(p_node, p_replaces);
    END IF;
    IF old.node IS NOT NULL THEN
        PERFORM coterie.leases_free(old, 'crash');
        INSERT INTO coterie.event (node, kind, subject, since, rule, detail)
        VALUES (p_node, 'session.ended', p_node, old.renewed_at,
                CASE WHEN p_replaces_beats IS NULL THEN 'the former process of this node is gone' ELSE 'expired, and seen unchanged for its time to live' END,
                jsonb_build_object('incarnation', old.incarnation, 'cause', 'crash'));
    END IF;

    INSERT INTO coterie.session AS s (node, incarnation, takes, ttl, expires_at)
    VALUES (p_node, p_incarnation, p_takes, terms.session_ttl, coterie.clock() + terms.session_ttl)
    ON CONFLICT (node) DO NOTHING
    RETURNING * INTO new;
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, detail)
        VALUES (p_node, 'session.began', p_node, jsonb_build_object('incarnation', p_incarnation));
    ELSE
        SELECT * INTO new FROM coterie.session s WHERE s.node = p_node;
    END IF;
    RETURN QUERY SELECT
        coalesce(new.incarnation = p_incarnation, false), coalesce(new.incarnation, 0), coalesce(new.beats, 0), coalesce(coterie.is_expired(new), false),
        extract(epoch FROM coalesce(new.ttl, terms.session_ttl))::float8 * 1000, extract(epoch FROM terms.heartbeat)::float8 * 1000,
        extract(epoch FROM terms.margin)::float8 * 1000, coterie.clock(),
        coterie.last_token(), CASE WHEN c.era_settled THEN 0 ELSE extract(epoch FROM c.era_quiet)::float8 * 1000 END;
END $$;
COMMENT ON FUNCTION coterie.session_begin(text, bigint, text[], bigint, bigint, bigint) IS
    'Begins a life of a node, replacing its former one when that is proved dead; began is false when another life holds the name, and the rest describes that one. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.session_begin(text, bigint, text[], bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.session_begin(text, bigint, text[], bigint, bigint, bigint) TO coterie_agent;
