CREATE OR REPLACE FUNCTION coterie.license_said(p_name text)
RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN (SELECT to_jsonb(l) - '{entitled,in_use,over,valid_from,valid_until,alive,changed_by,changed_at}'::text[]
                   || jsonb_build_object(
                       'entitlements', (SELECT jsonb_agg(to_jsonb(e) - 'pool' ORDER BY e.serial) FROM coterie.license_entitlement e WHERE e.pool = l.name),
                       'rules', (SELECT jsonb_agg(to_jsonb(r) - 'pool' ORDER BY r.subject, r.name) FROM coterie.license_rule r WHERE r.pool = l.name),
                       'groups', (SELECT jsonb_agg(jsonb_build_array(m.grp, m.who) ORDER BY m.grp, m.who) FROM coterie.license_member m WHERE m.pool = l.name),
                       'names', (SELECT jsonb_agg(n.who ORDER BY n.who) FROM coterie.license_name n WHERE n.pool = l.name AND n.removed_at IS NULL))
            FROM coterie.license_pool l WHERE l.name = p_name);
END $$;
COMMENT ON FUNCTION coterie.license_said(text) IS
    'All that is said about a pool, to compare and to record.';
REVOKE ALL ON FUNCTION coterie.license_said(text) FROM PUBLIC;
