CREATE OR REPLACE FUNCTION coterie.app_settings_tell(p_node text, p_product text, p_told jsonb, p_by text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was jsonb;
BEGIN
    SELECT a.told INTO was FROM coterie.app_setting a WHERE a.node = p_node FOR UPDATE;
    INSERT INTO coterie.app_setting AS a (node, product, told)
    SELECT n.name, p_product, p_told FROM coterie.node n WHERE n.name = p_node
    ON CONFLICT (node) DO UPDATE SET product = excluded.product, told = excluded.told, told_at = coterie.clock();
    IF FOUND AND was IS DISTINCT FROM p_told THEN
        INSERT INTO coterie.event (node, kind, subject, actor, detail)
        SELECT p_node, 'app.set', p_product, p_by, jsonb_build_object('names', coalesce(jsonb_agg(k ORDER BY k COLLATE "C"), '[]'))
        FROM (SELECT jsonb_object_keys(p_told) AS k UNION SELECT jsonb_object_keys(coalesce(was, '{}'))) AS names
        WHERE p_told -> k IS DISTINCT FROM was -> k;
    END IF;
    RETURN (SELECT coalesce(jsonb_object_agg(a.node, a.told), '{}') FROM coterie.app_setting a WHERE a.node <> p_node AND a.product = p_product);
END $$;
COMMENT ON FUNCTION coterie.app_settings_tell(text, text, jsonb, text) IS
    'A node tells how its application is set, and hears how the others'' are: settings by node. A node that has never joined is heard by nobody.';
REVOKE ALL ON FUNCTION coterie.app_settings_tell(text, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_settings_tell(text, text, jsonb, text) TO coterie_agent, coterie_operator;
