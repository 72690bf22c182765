CREATE OR REPLACE FUNCTION coterie.license_mend(p_pool coterie.license_pool) RETURNS coterie.license_pool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    p coterie.license_pool := p_pool;
    this_moment timestamptz := coterie.clock();
    living numeric := (SELECT coalesce(sum(s.incarnation), 0) FROM coterie.session s);
    before integer := p.in_use + p.over;
    before_over integer := p.over;
    step coterie.license_step;
    void record;
    idled text[];
    freed boolean := false;
BEGIN
    IF this_moment < p.valid_from OR this_moment >= p.valid_until THEN
        p := coterie.license_resize(p);
    END IF;
    IF p.idle IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM coterie.license_use u
            WHERE u.pool = p.name AND u.by_sql AND this_moment > u.renewed_at + p.idle
            RETURNING u.key)
        SELECT array_agg(DISTINCT key) INTO idled FROM gone;
    END IF;
    -- Nothing died, nothing lingers to its end: as nearly always.
    IF living = p.alive AND idled IS NULL
       AND NOT EXISTS (SELECT FROM coterie.license_seat s
                       WHERE s.pool = p.name AND s.linger_until IS NOT NULL AND this_moment NOT BETWEEN s.linger_until - p.linger AND s.linger_until)
       AND NOT EXISTS (SELECT FROM coterie.license_escrow e WHERE e.pool = p.name AND e.dead) THEN
        RETURN p;
    END IF;

    WITH over AS (
        DELETE FROM coterie.license_escrow e WHERE e.pool = p.name AND e.dead RETURNING e.incarnation)
    UPDATE coterie.license_seat s SET escrow = NULL FROM over WHERE s.pool = p.name AND s.escrow = over.incarnation;

    DELETE FROM coterie.license_use u
    WHERE u.pool = p.name
      AND NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = u.node AND s.incarnation = u.incarnation);
    FOR void IN
        SELECT s.key, bool_or(s.linger_until IS NOT NULL) AS lingered FROM coterie.license_seat s
        WHERE s.pool = p.name AND s.key IS NOT NULL
          AND NOT EXISTS (SELECT FROM coterie.license_use u WHERE u.pool = p.name AND u.key = s.key)
          AND (s.linger_until IS NULL OR this_moment NOT BETWEEN s.linger_until - p.linger AND s.linger_until)
        GROUP BY s.key ORDER BY s.key
    LOOP
        step := coterie.license_free(p, void.key, CASE WHEN void.lingered THEN 'released' WHEN void.key = ANY (idled) THEN 'idle' ELSE 'reclaimed' END,
                                     CASE WHEN void.lingered THEN 'lingered for ' || p.linger WHEN void.key = ANY (idled) THEN 'not renewed for ' || p.idle
                                          ELSE 'no session uses it any more' END, this_moment);
        p.in_use := p.in_use + step.seats;
        p.over := p.over + step.over;
        freed := true;
    END LOOP;
    p.alive := living;
    UPDATE coterie.license_pool l SET alive = living WHERE l.name = p.name;
    IF freed THEN
        PERFORM coterie.license_note(p, before, before, before_over, this_moment);
    END IF;
    RETURN p;
END $$;
COMMENT ON FUNCTION coterie.license_mend(coterie.license_pool) IS
    'Brings a pool up to date before anything is decided in it: entitlements that began or ended, uses whose session ended, seats that lingered long enough. The caller holds its row.';
REVOKE ALL ON FUNCTION coterie.license_mend(coterie.license_pool) FROM PUBLIC;
