CREATE OR REPLACE FUNCTION coterie.era_proved(c coterie.cluster) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    -- Neither SECURITY DEFINER nor a search_path of its own: so it is part of its caller's plan.
    -- A running server can neither become another nor be set back: its timeline rises only when a standby is promoted,
    -- and the row that a standby has was proved by its primary. Two unlike servers have not begun in one microsecond.
    SELECT c.proved_by OPERATOR(pg_catalog.=) pg_catalog.pg_postmaster_start_time()
       AND c.proved_in OPERATOR(pg_catalog.=) pg_catalog.pg_relation_filepath('coterie.cluster'::pg_catalog.regclass)
$$;
COMMENT ON FUNCTION coterie.era_proved(coterie.cluster) IS
    'Whether this very server process has found already that the era is its own. Costs a tenth of asking for timeline and history, which reads a file.';
REVOKE ALL ON FUNCTION coterie.era_proved(coterie.cluster) FROM PUBLIC;
