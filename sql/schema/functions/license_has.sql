CREATE OR REPLACE FUNCTION coterie.license_has(p_rule coterie.license_rule) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM coterie.license_seat s
            WHERE s.pool = p_rule.pool AND s.key IS NOT NULL
              AND CASE p_rule.subject WHEN 'user' THEN s.who = p_rule.name WHEN 'node' THEN s.node = p_rule.name
                  ELSE s.who IN (SELECT m.who FROM coterie.license_member m WHERE m.pool = p_rule.pool AND m.grp = p_rule.name) END);
END $$;
COMMENT ON FUNCTION coterie.license_has(coterie.license_rule) IS
    'How many seats the user, group or node of a rule has. The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_has(coterie.license_rule) FROM PUBLIC;
