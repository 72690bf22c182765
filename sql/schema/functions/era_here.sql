-- after functions/timeline.sql
CREATE OR REPLACE FUNCTION coterie.era_here(c coterie.cluster) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    -- Neither SECURITY DEFINER nor a search_path of its own: so it is part of its caller's plan.
    SELECT coterie.era_proved(c)
        OR c.timeline OPERATOR(pg_catalog.=) coterie.timeline() AND c.history OPERATOR(pg_catalog.=) coterie.history()
$$;
COMMENT ON FUNCTION coterie.era_here(coterie.cluster) IS
    'Whether the present era belongs to this database: rows that a promotion, a restore or a clone brought here prove nothing until a heartbeat has begun the new era.';
REVOKE ALL ON FUNCTION coterie.era_here(coterie.cluster) FROM PUBLIC;
