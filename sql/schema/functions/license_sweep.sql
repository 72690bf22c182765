CREATE OR REPLACE FUNCTION coterie.license_sweep(p_node text, p_incarnation bigint, p_pool text, p_incarnations bigint[], p_stamps bigint[])
RETURNS TABLE (incarnation bigint, stamp bigint, lasts_ms double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    p coterie.license_pool;
    at timestamptz;
    before integer;
    moved coterie.license_seat;
    target integer;
BEGIN
    -- Whoever has it locked brings it up to date as well.
    SELECT l.* INTO p FROM coterie.license_pool l WHERE l.name = p_pool FOR NO KEY UPDATE SKIP LOCKED;
    IF p.name IS NULL THEN
        RETURN;
    END IF;
    PERFORM coterie.license_alive(p_node, p_incarnation);
    p := coterie.license_mend(p);
    at := coterie.clock();
    -- Two clocks agree that a node grants nothing out of these any more: this one, and that of who watched them.
    WITH over AS (
        DELETE FROM coterie.license_escrow e
        USING unnest(p_incarnations, p_stamps) AS w (incarnation, stamp)
        WHERE e.pool = p.name AND e.incarnation = w.incarnation AND e.stamp = w.stamp AND at NOT BETWEEN e.ends_at - e.lasts AND e.ends_at
        RETURNING e.incarnation)
    UPDATE coterie.license_seat s SET escrow = NULL FROM over WHERE s.pool = p.name AND s.escrow = over.incarnation;
    IF p.enforced THEN
        DELETE FROM coterie.license_seat s WHERE s.pool = p.name AND s.number > p.entitled AND s.key IS NULL AND s.escrow IS NULL;
    END IF;

    -- Who has a seat beyond the entitlement gets one of it when one is free.
    before := p.in_use + p.over;
    FOR moved IN SELECT s.* FROM coterie.license_seat s WHERE s.pool = p.name AND s.number < 0 ORDER BY s.since LOOP
        SELECT min(s.number) INTO target FROM coterie.license_seat s
        WHERE s.pool = p.name AND s.key IS NULL AND s.escrow IS NULL AND s.number BETWEEN 1 AND p.entitled;
        EXIT WHEN target IS NULL;
        DELETE FROM coterie.license_seat s WHERE s.pool = p.name AND s.number = moved.number;
        UPDATE coterie.license_seat s
        SET key = moved.key, part = moved.part, who = moved.who, holder = moved.holder, node = moved.node, since = moved.since
        WHERE s.pool = p.name AND s.number = target;
        p.in_use := p.in_use + 1;
        p.over := p.over - 1;
        INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, seats, over, reason)
        VALUES (at, p.name, 'settled', moved.key, moved.holder, moved.node, 1, -1, 'a seat became free');
        PERFORM coterie.license_note(p, before, before, p.over + 1, at);
    END LOOP;
    RETURN QUERY SELECT e.incarnation, e.stamp, extract(epoch FROM e.lasts)::float8 * 1000 FROM coterie.license_escrow e WHERE e.pool = p.name;
END $$;
COMMENT ON FUNCTION coterie.license_sweep(text, bigint, text, bigint[], bigint[]) IS
    'Brings a pool up to date: void uses, seats that lingered, entitlements that changed, seats kept in advance by nodes that are gone, excess that fits again. The arrays name escrow that the caller has seen unchanged, by its own clock, for as long as it lasts. Tells what escrow there is.';
REVOKE ALL ON FUNCTION coterie.license_sweep(text, bigint, text, bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_sweep(text, bigint, text, bigint[], bigint[]) TO coterie_agent;
