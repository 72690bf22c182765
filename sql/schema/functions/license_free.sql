CREATE OR REPLACE FUNCTION coterie.license_free(p_pool coterie.license_pool, p_key text, p_kind text, p_reason text, p_at timestamptz) RETURNS coterie.license_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    step coterie.license_step;
    was coterie.license_seat;
BEGIN
    SELECT s.* INTO was FROM coterie.license_seat s WHERE s.pool = p_pool.name AND s.key = p_key ORDER BY s.part LIMIT 1;
    IF p_pool.weight = 1 AND was.number BETWEEN 1 AND p_pool.entitled THEN
        -- As nearly always: one seat of the entitlement.
        UPDATE coterie.license_seat s
        SET key = NULL, part = NULL, who = NULL, holder = NULL, node = NULL, since = NULL, linger_until = NULL
        WHERE s.pool = p_pool.name AND s.number = was.number;
        step := ROW('released', was.number, was.kind, -1, 0, p_reason);
    ELSE
        WITH gone AS (
            DELETE FROM coterie.license_seat s
            WHERE s.pool = p_pool.name AND s.key = p_key AND (s.number < 0 OR s.number > p_pool.entitled AND p_pool.enforced)
            RETURNING s.number
        ), freed AS (
            UPDATE coterie.license_seat s
            SET key = NULL, part = NULL, who = NULL, holder = NULL, node = NULL, since = NULL, linger_until = NULL
            WHERE s.pool = p_pool.name AND s.key = p_key AND s.number > 0 AND (s.number <= p_pool.entitled OR NOT p_pool.enforced)
            RETURNING s.number
        )
        SELECT 'released', was.number, was.kind,
               - (SELECT count(*) FROM freed) - (SELECT count(*) FROM gone WHERE number > 0), - (SELECT count(*) FROM gone WHERE number < 0), p_reason
        INTO step;
    END IF;
    IF step.seats + step.over < 0 THEN
        INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, seats, over, reason)
        VALUES (p_at, p_pool.name, p_kind, p_key, was.holder, was.node, step.seats, step.over, p_reason);
    END IF;
    RETURN step;
END $$;
COMMENT ON FUNCTION coterie.license_free(coterie.license_pool, text, text, text, timestamptz) IS
    'Frees the seat of a key. The caller holds the pool''s row, and knows that no use is left.';
REVOKE ALL ON FUNCTION coterie.license_free(coterie.license_pool, text, text, text, timestamptz) FROM PUBLIC;
