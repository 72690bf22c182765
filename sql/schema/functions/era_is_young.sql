CREATE OR REPLACE FUNCTION coterie.era_is_young(p_cluster coterie.cluster, p_age interval) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- A beginning in the future is a clock that stepped back meanwhile: young as well.
    SELECT p_cluster.era_since > coterie.clock() - p_age
$$;
COMMENT ON FUNCTION coterie.era_is_young(coterie.cluster, interval) IS 'Whether the era began less than that long ago.';
REVOKE ALL ON FUNCTION coterie.era_is_young(coterie.cluster, interval) FROM PUBLIC;
