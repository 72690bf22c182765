CREATE OR REPLACE FUNCTION coterie.license_let(p_pool coterie.license_pool, p_use coterie.license_use, p_kind text) RETURNS coterie.license_step
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    step coterie.license_step;
BEGIN
    step.answer := 'none';
    step.seats := 0;
    step.over := 0;
    DELETE FROM coterie.license_use u
    WHERE u.pool = p_pool.name AND u.key = p_use.key AND u.node = p_use.node AND u.incarnation = p_use.incarnation AND u.session = p_use.session;
    IF NOT FOUND THEN
        RETURN step; -- given back already, or never had: nobody else's seat is touched
    END IF;
    IF EXISTS (SELECT FROM coterie.license_use u WHERE u.pool = p_pool.name AND u.key = p_use.key) THEN
        INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, session)
        VALUES (p_use.since, p_pool.name, 'left', p_use.key, p_use.holder, p_use.node, p_use.session);
        step.answer := 'kept';
        RETURN step;
    END IF;
    IF p_pool.linger > '0' AND p_kind = 'released' THEN
        UPDATE coterie.license_seat s SET linger_until = p_use.since + p_pool.linger WHERE s.pool = p_pool.name AND s.key = p_use.key AND s.number > 0;
        IF FOUND THEN
            INSERT INTO coterie.license_event (at, pool, kind, key, holder, node, session)
            VALUES (p_use.since, p_pool.name, 'lingers', p_use.key, p_use.holder, p_use.node, p_use.session);
            step.answer := 'released';
            RETURN step;
        END IF;
    END IF;
    step := coterie.license_free(p_pool, p_use.key, p_kind, NULL, p_use.since);
    RETURN step;
END $$;
COMMENT ON FUNCTION coterie.license_let(coterie.license_pool, coterie.license_use, text) IS
    'Checks a use in; the seat is free when it was the last one. Answers released, kept (others use it) or none (there was no such use). The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_let(coterie.license_pool, coterie.license_use, text) FROM PUBLIC;
