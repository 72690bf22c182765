CREATE OR REPLACE FUNCTION coterie.license_keep(p_node text, p_incarnation bigint, p_former bigint[], p_number bigint, p_pool text, p_want integer)
RETURNS TABLE (seats integer, lasts_ms double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off SET jit = off
    SET lock_timeout = '2s' AS $$
#variable_conflict use_column
DECLARE
    settled boolean := coterie.license_fence(p_node, p_incarnation, p_number);
    p coterie.license_pool := coterie.license_open(p_pool);
    has integer;
    wanted integer;
    spare bigint;
BEGIN
    PERFORM coterie.license_alive(p_node, p_incarnation);
    IF p.name IS NULL THEN
        RETURN QUERY SELECT 0, 0::float8;
        RETURN;
    END IF;
    -- The same process, in another life of its session, goes on with what it has.
    UPDATE coterie.license_seat s SET escrow = p_incarnation
    WHERE s.pool = p.name AND s.escrow IN (SELECT e.incarnation FROM coterie.license_escrow e
                                           WHERE e.pool = p.name AND e.incarnation = ANY (p_former) AND e.node = p_node AND e.login = session_user);
    DELETE FROM coterie.license_escrow e WHERE e.pool = p.name AND e.incarnation = ANY (p_former) AND e.node = p_node AND e.login = session_user;

    SELECT count(*) INTO has FROM coterie.license_seat s WHERE s.pool = p.name AND s.escrow = p_incarnation;
    -- What is reserved for somebody is not kept for anybody.
    SELECT count(*) INTO spare FROM coterie.license_seat s WHERE s.pool = p.name AND s.key IS NULL AND s.escrow IS NULL AND s.number <= p.entitled;
    spare := spare - (SELECT coalesce(sum(greatest(0, r.reserved - coterie.license_has(r))), 0) FROM coterie.license_rule r WHERE r.pool = p.name AND r.reserved > 0);
    wanted := greatest(0, least(p_want, p.escrow * p.weight, has + spare));
    -- A node alone knows neither who is named or excluded nor what others have: it would give a seat to the wrong one.
    IF NOT p.enforced OR p.kind = 'named' OR p.max_per_user IS NOT NULL
       OR EXISTS (SELECT FROM coterie.license_rule r WHERE r.pool = p.name AND (r.most IS NOT NULL OR r.access <> 'any'))
       OR EXISTS (SELECT FROM coterie.license_entitlement e WHERE e.pool = p.name AND e.addresses <> '{}') THEN
        wanted := 0;
    END IF;
    IF has < wanted AND settled THEN
        UPDATE coterie.license_seat s SET escrow = p_incarnation
        WHERE s.pool = p.name AND s.number IN (
            SELECT f.number FROM coterie.license_seat f
            WHERE f.pool = p.name AND f.key IS NULL AND f.escrow IS NULL AND f.number <= p.entitled
            ORDER BY f.number DESC LIMIT wanted - has);
    ELSIF has > wanted THEN
        UPDATE coterie.license_seat s SET escrow = NULL
        WHERE s.pool = p.name AND s.number IN (
            SELECT f.number FROM coterie.license_seat f
            WHERE f.pool = p.name AND f.escrow = p_incarnation ORDER BY f.number DESC LIMIT has - wanted);
        DELETE FROM coterie.license_seat s WHERE s.pool = p.name AND s.number > p.entitled AND s.key IS NULL AND s.escrow IS NULL AND p.enforced;
    END IF;
    SELECT count(*) INTO has FROM coterie.license_seat s WHERE s.pool = p.name AND s.escrow = p_incarnation;
    IF has = 0 THEN
        DELETE FROM coterie.license_escrow e WHERE e.pool = p.name AND e.incarnation = p_incarnation;
    ELSE
        INSERT INTO coterie.license_escrow AS e (pool, incarnation, node, lasts, ends_at)
        VALUES (p.name, p_incarnation, p_node, p.escrow_for, coterie.clock() + p.escrow_for)
        ON CONFLICT (pool, incarnation) DO UPDATE
        SET stamp = e.stamp + 1, lasts = greatest(excluded.lasts, e.lasts), ends_at = coterie.clock() + greatest(excluded.lasts, e.lasts);
    END IF;
    RETURN QUERY SELECT has, extract(epoch FROM p.escrow_for)::float8 * 1000;
END $$;
COMMENT ON FUNCTION coterie.license_keep(text, bigint, bigint[], bigint, text, integer) IS
    'Keeps up to p_want seats of a pool for a node, in advance, and tells how many those are and how long they are its own, counted from when the call was made. p_former are lives that this very process had before. A node must count on fewer before it asks for fewer.';
REVOKE ALL ON FUNCTION coterie.license_keep(text, bigint, bigint[], bigint, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_keep(text, bigint, bigint[], bigint, text, integer) TO coterie_agent;
