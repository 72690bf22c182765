CREATE OR REPLACE FUNCTION coterie.tick(
    p_node text, p_incarnation bigint, p_takes text[], p_rtt_ms real, p_seen bigint,
    p_ttl_ms double precision, p_mark bigint, p_old boolean, p_settles boolean,
    p_dead_nodes text[], p_dead_incarnations bigint[], p_dead_beats bigint[],
    p_release_names text[], p_release_tokens bigint[], p_release_causes text[],
    p_claim_names text[], p_claim_tokens bigint[], p_wants text[] DEFAULT NULL,
    p_beats bigint DEFAULT NULL)
RETURNS TABLE (now timestamptz, beats bigint, ttl_ms double precision, heartbeat_ms double precision, margin_ms double precision,
               head bigint, activity bigint, peers json, listing json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    terms coterie.setting;
    settled boolean;
    me coterie.session;
    gone coterie.session;
    moved bigint;
    turns bigint;
    listed boolean;
BEGIN
    -- A database whose history was cut begins a new era: every session ends with the old one, mine
    -- included, and nothing is granted until all trust in it is over.
    PERFORM coterie.era_check(p_mark);
    IF p_old THEN
        PERFORM coterie.era_step('a node has seen rows that were newer than those here: the history was cut', p_mark >> 40, p_node);
    END IF;
    SELECT * INTO terms FROM coterie.setting;

    -- Renew me, while this very life of mine is still there. No row: it was ended. When the time to live was
    -- made shorter, the longer one that I go by counts until I tell that I know; and this may be a heartbeat
    -- that was overtaken by another, which knew of a longer one: only the first to arrive since I heard tells it.
    UPDATE coterie.session s
    SET beats = s.beats + 1, renewed_at = coterie.clock(), rtt_ms = p_rtt_ms, takes = p_takes,
        ttl = greatest(terms.session_ttl, least(make_interval(secs => p_ttl_ms / 1000), '10min'),
                       CASE WHEN s.beats IS DISTINCT FROM p_beats THEN s.ttl END),
        expires_at = coterie.clock() + greatest(terms.session_ttl, least(make_interval(secs => p_ttl_ms / 1000), '10min'),
                                                CASE WHEN s.beats IS DISTINCT FROM p_beats THEN s.ttl END)
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user
    RETURNING * INTO me;
    IF NOT FOUND THEN
        RETURN QUERY SELECT coterie.clock(), NULL::bigint, 0::float8, 0::float8, 0::float8, 0::bigint, 0::bigint, NULL::json, NULL::json;
        RETURN;
    END IF;

    -- Two clocks must agree that nobody trusts in the era before any more: the caller's own and this one. A
    -- beginning in the future is a clock that was set back: it says nothing.
    SELECT era_settled INTO settled FROM coterie.cluster;
    IF p_settles AND NOT settled THEN
        UPDATE coterie.cluster SET era_settled = true
        WHERE one IN (SELECT one FROM coterie.cluster
                      WHERE NOT era_settled AND (coterie.clock() < era_since OR coterie.clock() >= era_since + era_quiet)
                      FOR NO KEY UPDATE SKIP LOCKED); -- whoever has it locked settles it
        IF FOUND THEN
            INSERT INTO coterie.event (node, kind, subject, detail)
            SELECT p_node, 'era.settled', name, jsonb_build_object('era', era) FROM coterie.cluster;
        END IF;
        SELECT era_settled INTO settled FROM coterie.cluster;
    END IF;

    -- End the dead: expired by this clock, and unchanged since the caller began to watch them by its own.
    -- Whoever else is ending or renewing such a row holds it locked and is passed over.
    IF cardinality(p_dead_nodes) > 0 THEN
        FOR gone IN
            DELETE FROM coterie.session s
            WHERE s.node IN (
                SELECT d.node FROM coterie.session d
                JOIN unnest(p_dead_nodes, p_dead_incarnations, p_dead_beats) AS w (node, incarnation, beats)
                  ON d.node = w.node AND d.incarnation = w.incarnation AND d.beats = w.beats
                WHERE coterie.is_expired(d) AND d.node <> p_node
                FOR UPDATE OF d SKIP LOCKED)
            RETURNING s.*
        LOOP
            PERFORM coterie.leases_free(gone, 'crash');
            INSERT INTO coterie.event (node, kind, subject, peer, since, rule, detail)
            VALUES (p_node, 'session.ended', gone.node, p_node, gone.renewed_at, 'expired, and seen unchanged for its time to live',
                    jsonb_build_object('incarnation', gone.incarnation, 'cause', 'crash'));
        END LOOP;
    END IF;

    -- Give back what I no longer act on.
    IF cardinality(p_release_names) > 0 THEN
        WITH mine AS (
            SELECT l.name, r.cause FROM coterie.lease l
            JOIN unnest(p_release_names, p_release_tokens, p_release_causes) AS r (name, token, cause) ON l.name = r.name AND l.token = r.token
            WHERE l.node = p_node AND l.incarnation = p_incarnation
            FOR UPDATE OF l SKIP LOCKED
        ), freed AS (
            UPDATE coterie.lease l
            SET node = NULL, incarnation = NULL, acquired_at = NULL,
                from_node = p_node, freed_at = coterie.clock(), freed_by = mine.cause
            FROM mine WHERE l.name = mine.name
            RETURNING l.name, l.token, l.freed_by
        )
        INSERT INTO coterie.event (node, kind, subject, token, reason)
        SELECT p_node, 'lease.released', name, token, freed_by FROM freed ORDER BY name;
    END IF;

    -- Take what I was shown as free, if nothing happened to it since (its token is still the one I was shown).
    IF cardinality(p_claim_names) > 0 AND settled THEN
        WITH free AS (
            SELECT l.name, coalesce(l.node, l.from_node) AS from_node,
                   CASE WHEN l.node IS NULL THEN l.freed_at END AS freed_at,
                   CASE WHEN l.node IS NULL THEN l.freed_by ELSE 'crash' END AS freed_by
            FROM coterie.lease l
            JOIN unnest(p_claim_names, p_claim_tokens) AS c (name, token) ON l.name = c.name AND l.token = c.token
            WHERE (l.node = p_node AND l.incarnation = p_incarnation)
               OR NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = l.node AND s.incarnation = l.incarnation)
            FOR UPDATE OF l SKIP LOCKED
        ), claimed AS (
            UPDATE coterie.lease l
            SET node = p_node, incarnation = p_incarnation, token = taken.token, acquired_at = coterie.clock(),
                from_node = taken.from_node, freed_at = taken.freed_at, freed_by = taken.freed_by,
                goal = NULL, goal_now = false
            FROM (SELECT free.*, coterie.next_token() AS token FROM free ORDER BY name) AS taken -- so that a replay is exact
            WHERE l.name = taken.name
            RETURNING l.name, l.token, l.from_node, l.freed_at, l.freed_by
        )
        INSERT INTO coterie.event (node, kind, subject, token, peer, since, reason)
        SELECT p_node, 'lease.claimed', name, token, from_node, freed_at, freed_by FROM claimed ORDER BY name;
    END IF;

    -- What I want by name is there, also when it was swept away meanwhile.
    IF cardinality(p_wants) > 0 THEN
        PERFORM coterie.lease_declare(array_agg(w), NULL) FROM unnest(p_wants) AS w
        WHERE octet_length(w) BETWEEN 1 AND 200 AND w !~ '[[:cntrl:]]' AND NOT EXISTS (SELECT FROM coterie.lease l WHERE l.name = w)
        HAVING count(*) > 0;
    END IF;

    SELECT coalesce(max(e.id), 0) INTO moved FROM coterie.event e;
    -- A list tells of every node, and would be told to every node for everything that any of them does. Where there are
    -- many, each is told at once what was done to itself, and everything when it has to know (-1). Else they are told in
    -- turn, some dozens with each of their heartbeats: there is always somebody who takes what was freed.
    listed := moved <> p_seen;
    IF listed AND p_seen <> -1 THEN
        SELECT count(*) / 32 INTO turns FROM coterie.session;
        listed := turns < 2 OR moved < p_seen OR ((me.beats + hashtext(p_node)) & 2147483647) % turns = 0
            OR p_seen >= 0 AND EXISTS (
                SELECT FROM coterie.event e
                WHERE e.id > greatest(p_seen, moved - 1000) AND (e.node = p_node OR e.peer = p_node)
                  AND e.kind NOT IN ('session.began', 'node.joined', 'node.reported', 'storage.changed', 'lease.claimed', 'lease.released'));
    END IF;
    RETURN QUERY SELECT coterie.clock(), me.beats,
        extract(epoch FROM terms.session_ttl)::float8 * 1000, extract(epoch FROM terms.heartbeat)::float8 * 1000,
        extract(epoch FROM terms.margin)::float8 * 1000,
        moved, (SELECT last_value FROM coterie.run_seq), coterie.peers_of(p_node),
        CASE WHEN listed THEN coterie.leases_for(p_node, p_incarnation, p_wants) END;
END $$;
COMMENT ON FUNCTION coterie.tick(text, bigint, text[], real, bigint, double precision, bigint, boolean, boolean, text[], bigint[], bigint[], text[], bigint[], text[], text[], bigint[], text[], bigint) IS
    'One heartbeat of a node: renew me, end the dead, give back, take, and tell who else lives; and what is held and free when the ledger moved past what the node has seen.';
REVOKE ALL ON FUNCTION coterie.tick(text, bigint, text[], real, bigint, double precision, bigint, boolean, boolean, text[], bigint[], bigint[], text[], bigint[], text[], text[], bigint[], text[], bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.tick(text, bigint, text[], real, bigint, double precision, bigint, boolean, boolean, text[], bigint[], bigint[], text[], bigint[], text[], text[], bigint[], text[], bigint) TO coterie_agent;
