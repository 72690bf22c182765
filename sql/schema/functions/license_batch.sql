CREATE OR REPLACE FUNCTION coterie.license_batch(
    p_node text, p_incarnation bigint, p_number bigint,
    p_ops text[], p_pools text[], p_holders text[], p_sessions text[], p_hosts text[], p_later boolean DEFAULT false)
RETURNS TABLE (n integer, answer text, seat integer, kind text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off SET jit = off
    SET lock_timeout = '2s' AS $$
#variable_conflict use_column
DECLARE
    settled boolean := coterie.license_fence(p_node, p_incarnation, p_number);
    p coterie.license_pool;
    step coterie.license_step;
    asked record;
    who text;
    used coterie.license_use;
    at timestamptz;
    pool_name text;
    before integer;
    most integer;
    most_over integer;
    moved boolean := false;
BEGIN
    FOR asked IN
        SELECT a.op, a.pool, a.holder, a.session, a.host, a.n
        FROM unnest(p_ops, p_pools, p_holders, p_sessions, p_hosts) WITH ORDINALITY AS a (op, pool, holder, session, host, n)
        ORDER BY a.pool COLLATE "C", a.n -- pools are locked in one order, so nobody waits in a circle
    LOOP
        IF asked.pool IS DISTINCT FROM pool_name THEN
            IF moved THEN
                PERFORM coterie.license_note(p, before, most, most_over, at);
                moved := false;
            END IF;
            pool_name := asked.pool;
            p := coterie.license_open(pool_name);
            PERFORM coterie.license_alive(p_node, p_incarnation);
            at := coterie.clock();
            before := p.in_use + p.over;
            most := before;
            most_over := p.over;
        END IF;
        n := asked.n;
        seat := NULL;
        kind := NULL;
        reason := NULL;
        who := coterie.license_who(p.domains, asked.holder);
        IF p.name IS NULL THEN
            answer := 'no_pool';
        ELSIF who IS NULL OR octet_length(asked.session) > 300 OR octet_length(asked.host) > 300 THEN
            answer := 'invalid';
            reason := 'no name that can be shown, or too long';
        ELSIF asked.op = 'out' AND NOT settled THEN
            answer := 'wait';
            reason := 'a new era settles';
        ELSE
            used := ROW(p.name, coterie.license_key(p.shared_by, who, asked.session, asked.host, p_node), p_node, p_incarnation,
                        asked.session, left(asked.holder, 300), asked.host, false, at, at);
            CASE asked.op
                WHEN 'out' THEN step := coterie.license_take(p, used, who, 'asked');
                WHEN 'again' THEN step := coterie.license_take(p, used, who, 'again');
                WHEN 'adopt' THEN step := coterie.license_take(p, used, who, 'escrow');
                WHEN 'in' THEN step := coterie.license_let(p, used, 'released');
                WHEN 'idle' THEN step := coterie.license_let(p, used, 'idle');
            END CASE;
            p.in_use := p.in_use + step.seats;
            p.over := p.over + step.over;
            moved := moved OR step.seats <> 0 OR step.over <> 0;
            most := greatest(most, p.in_use + p.over);
            most_over := greatest(most_over, p.over);
            answer := step.answer;
            seat := step.seat;
            kind := step.kind;
            reason := step.reason;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF moved THEN
        PERFORM coterie.license_note(p, before, most, most_over, at);
    END IF;
    IF p_later THEN
        -- Others may go on as soon as this is decided; that it is on disk is waited for by license_settle.
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
END $$;
COMMENT ON FUNCTION coterie.license_batch(text, bigint, bigint, text[], text[], text[], text[], text[], boolean) IS
    'What a node asks of its pools, many things in one transaction: out (check out), again (is at work), adopt (was granted out of escrow), in and idle (check in). Each may be said again: answers are granted, shared or held; denied, wait, invalid or no_pool; released, kept or none. With p_later the answers must be told to nobody before license_settle has returned. Raises CT002 without a living session, CT033 after a later batch.';
REVOKE ALL ON FUNCTION coterie.license_batch(text, bigint, bigint, text[], text[], text[], text[], text[], boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_batch(text, bigint, bigint, text[], text[], text[], text[], text[], boolean) TO coterie_agent;
