CREATE OR REPLACE FUNCTION coterie.license_note(p_pool coterie.license_pool, p_before integer, p_most integer, p_most_over integer, p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    total integer := p_pool.in_use + p_pool.over;
BEGIN
    UPDATE coterie.license_pool l SET in_use = p_pool.in_use, over = p_pool.over WHERE l.name = p_pool.name;
    -- What was held when the hour began counts in it.
    INSERT INTO coterie.license_peak AS k (pool, hour, peak, over, closing, entitled)
    VALUES (p_pool.name, date_trunc('hour', p_at, 'UTC'), greatest(p_before, p_most), p_most_over, total, p_pool.entitled)
    ON CONFLICT (pool, hour) DO UPDATE
    SET peak = greatest(k.peak, excluded.peak), over = greatest(k.over, excluded.over), closing = excluded.closing, entitled = excluded.entitled;
END $$;
COMMENT ON FUNCTION coterie.license_note(coterie.license_pool, integer, integer, integer, timestamptz) IS
    'Writes how many seats are held, and the peak of the hour. The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_note(coterie.license_pool, integer, integer, integer, timestamptz) FROM PUBLIC;
