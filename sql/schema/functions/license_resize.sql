CREATE OR REPLACE FUNCTION coterie.license_resize(p_pool coterie.license_pool) RETURNS coterie.license_pool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    p coterie.license_pool := p_pool;
    this_moment timestamptz := coterie.clock();
    most integer;
BEGIN
    SELECT least(coalesce(sum(e.seats) FILTER (WHERE this_moment >= e.begins_at AND this_moment < e.ends_at), 0), 1000000),
           greatest(max(e.begins_at) FILTER (WHERE e.begins_at <= this_moment), max(e.ends_at) FILTER (WHERE e.ends_at <= this_moment)),
           least(min(e.begins_at) FILTER (WHERE e.begins_at > this_moment), min(e.ends_at) FILTER (WHERE e.ends_at > this_moment))
    INTO p.entitled, p.valid_from, p.valid_until
    FROM coterie.license_entitlement e WHERE e.pool = p.name;
    p.valid_from := coalesce(p.valid_from, '-infinity');
    p.valid_until := coalesce(p.valid_until, 'infinity');

    SELECT coalesce(max(s.number), 0) INTO most FROM coterie.license_seat s WHERE s.pool = p.name;
    INSERT INTO coterie.license_seat (pool, number)
    SELECT p.name, n FROM generate_series(1, p.entitled) AS n
    ON CONFLICT (pool, number) DO NOTHING;
    -- Who holds a seat that is entitled no more keeps it until it is given back.
    IF p.enforced AND most > p.entitled THEN
        DELETE FROM coterie.license_seat s WHERE s.pool = p.name AND s.number > p.entitled AND s.key IS NULL AND s.escrow IS NULL;
    END IF;
    UPDATE coterie.license_pool l
    SET entitled = p.entitled, valid_from = p.valid_from, valid_until = p.valid_until
    WHERE l.name = p.name;
    RETURN p;
END $$;
COMMENT ON FUNCTION coterie.license_resize(coterie.license_pool) IS
    'Adds up the entitlements that are valid now, and makes as many seats. The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_resize(coterie.license_pool) FROM PUBLIC;
