CREATE OR REPLACE FUNCTION coterie.license_take(p_pool coterie.license_pool, p_use coterie.license_use, p_who text, p_from text) RETURNS coterie.license_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    step coterie.license_step;
    free integer[];
    most integer := CASE WHEN p_pool.enforced THEN p_pool.entitled ELSE 2147483647 END;
    fresh boolean;
BEGIN
    -- The seat that its key has, whoever brought it there.
    SELECT s.number, s.kind INTO step.seat, step.kind
    FROM coterie.license_seat s WHERE s.pool = p_pool.name AND s.key = p_use.key AND s.part = 1;
    IF FOUND THEN
        UPDATE coterie.license_seat s SET linger_until = NULL
        WHERE s.pool = p_pool.name AND s.key = p_use.key AND s.linger_until IS NOT NULL;
        INSERT INTO coterie.license_use AS u SELECT p_use.*
        ON CONFLICT (pool, key, node, incarnation, session) DO UPDATE SET renewed_at = excluded.renewed_at
        RETURNING xmax = 0 INTO fresh;
        IF fresh THEN
            INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, session)
            VALUES (p_use.since, p_use.pool, 'shared', p_use.key, p_use.holder, p_use.node, p_use.session);
        END IF;
        step.answer := CASE WHEN fresh THEN 'shared' ELSE 'held' END;
        step.seats := 0;
        step.over := 0;
        RETURN step;
    END IF;

    -- Who is at work already is never turned away by a rule.
    step.reason := CASE WHEN p_from = 'asked' AND p_pool.enforced THEN coterie.license_refuses(p_pool, p_who, p_use.node) END;
    IF step.reason IS NULL THEN
        -- What the node granted out of its escrow has its seat there. A node that asks does not touch its escrow: it
        -- might lose the answer, and grant that seat again.
        IF p_from = 'escrow' THEN
            free := ARRAY(SELECT s.number FROM coterie.license_seat s
                          WHERE s.pool = p_pool.name AND s.escrow = p_use.incarnation ORDER BY s.number LIMIT p_pool.weight);
        END IF;
        IF coalesce(cardinality(free), 0) < p_pool.weight THEN
            free := ARRAY(SELECT s.number FROM coterie.license_seat s
                          WHERE s.pool = p_pool.name AND s.key IS NULL AND s.escrow IS NULL AND s.number BETWEEN 1 AND most
                          ORDER BY s.number LIMIT p_pool.weight);
        END IF;
        step.reason := CASE WHEN cardinality(free) < p_pool.weight THEN
            CASE WHEN p_pool.entitled = 0 THEN 'no entitlement is valid'
                 WHEN p_pool.weight > p_pool.entitled THEN format('one checkout takes %s seats, and there are %s', p_pool.weight, p_pool.entitled)
                 WHEN p_pool.weight > 1 THEN format('%s seats are needed, and %s of %s are free', p_pool.weight, cardinality(free), p_pool.entitled)
                 ELSE format('all %s seats are taken', p_pool.entitled) END END;
    END IF;
    step.kind := 'seat';
    IF step.reason IS NOT NULL AND NOT p_pool.enforced THEN
        -- Only counted: there are as many seats as are wanted.
        free := ARRAY(SELECT coalesce((SELECT max(s.number) FROM coterie.license_seat s WHERE s.pool = p_pool.name), 0) + n
                      FROM generate_series(1, p_pool.weight) AS n);
        INSERT INTO coterie.license_seat (pool, number) SELECT p_pool.name, n FROM unnest(free) AS n;
        step.reason := NULL;
    ELSIF step.reason IS NOT NULL THEN
        step.kind := CASE WHEN cardinality(free) < p_pool.weight AND p_pool.entitled > 0
                               AND p_pool.over + p_pool.weight <= p_pool.overdraft + p_pool.entitled * p_pool.overdraft_percent / 100 THEN 'overdraft'
                          WHEN p_from <> 'asked' THEN 'excess' END;
        IF step.kind IS NULL THEN
            step.answer := 'denied';
            step.seats := 0;
            step.over := 0;
            -- A node that keeps seats in advance grants one of those now; one that wants a seat for itself asks again
            -- and again, and that is one refusal.
            INSERT INTO coterie.license_denial AS d (pool, hour, key, reason, holder, node, first_at, last_at)
            SELECT p_pool.name, date_trunc('hour', p_use.since, 'UTC'), p_use.key, step.reason, p_use.holder, p_use.node, p_use.since, p_use.since
            WHERE NOT EXISTS (SELECT FROM coterie.license_seat s WHERE s.pool = p_pool.name AND s.escrow = p_use.incarnation)
            ON CONFLICT (pool, hour, key, reason) DO UPDATE
            SET times = d.times + CASE WHEN p_pool.kind IN ('servers', 'nodes') THEN 0 ELSE 1 END, last_at = excluded.last_at, holder = excluded.holder, node = excluded.node;
            RETURN step;
        END IF;
        free := ARRAY(SELECT least(0, (SELECT min(s.number) FROM coterie.license_seat s WHERE s.pool = p_pool.name)) - n
                      FROM generate_series(1, p_pool.weight) AS n);
    END IF;

    IF step.kind = 'seat' THEN
        UPDATE coterie.license_seat s
        SET key = p_use.key, part = f.part, who = p_who, holder = p_use.holder, node = p_use.node, since = p_use.since, escrow = NULL
        FROM unnest(free) WITH ORDINALITY AS f (number, part)
        WHERE s.pool = p_pool.name AND s.number = f.number;
    ELSE
        INSERT INTO coterie.license_seat (pool, number, kind, key, part, who, holder, node, since)
        SELECT p_pool.name, f.number, step.kind, p_use.key, f.part, p_who, p_use.holder, p_use.node, p_use.since
        FROM unnest(free) WITH ORDINALITY AS f (number, part);
    END IF;
    INSERT INTO coterie.license_use SELECT p_use.*;
    step.seats := CASE step.kind WHEN 'seat' THEN p_pool.weight ELSE 0 END;
    step.over := p_pool.weight - step.seats;
    INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, session, seats, over, reason)
    VALUES (p_use.since, p_use.pool, CASE step.kind WHEN 'seat' THEN 'granted' ELSE step.kind END, p_use.key, p_use.holder, p_use.node, p_use.session,
            step.seats, step.over, step.reason);
    step.answer := 'granted';
    step.seat := free[1];
    RETURN step;
END $$;
COMMENT ON FUNCTION coterie.license_take(coterie.license_pool, coterie.license_use, text, text) IS
    'Checks a use out: the seat that its key has, or a free one, or one beyond the entitlement where that is permitted, or a refusal. p_from says whether it is asked for, is at work (again) or was granted by its node (escrow): then it is never refused, but perhaps excess. The caller holds the pool''s row, and knows the session lives.';
REVOKE ALL ON FUNCTION coterie.license_take(coterie.license_pool, coterie.license_use, text, text) FROM PUBLIC;
