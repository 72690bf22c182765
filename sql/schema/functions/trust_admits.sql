CREATE OR REPLACE FUNCTION coterie.trust_admits(p_id text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- What was withdrawn is out, also where nobody is asked.
    SELECT coalesce((SELECT a.state = 'approved' OR a.state = 'pending' AND NOT s.approval FROM coterie.approval a WHERE a.id = p_id), NOT s.approval)
    FROM coterie.setting s
$$;
COMMENT ON FUNCTION coterie.trust_admits(text) IS 'Whether the certificates of an installation may be trusted: it is approved, or nobody is asked and nobody withdrew it.';
REVOKE ALL ON FUNCTION coterie.trust_admits(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_admits(text) TO coterie_reader;
