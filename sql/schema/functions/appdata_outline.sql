CREATE OR REPLACE FUNCTION coterie.appdata_outline(p_tree text, p_after text, p_limit int)
RETURNS TABLE (path text, content bytea, exact bytea, looks bytea, files bigint, bytes bigint, holes bigint, error text, told boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT f.path, f.content, f.exact, CASE WHEN f.content IS NOT NULL THEN f.looks END, f.files, f.bytes, f.holes, f.error, f.scan = 0
    FROM coterie.appdata_tree t
    JOIN coterie.appdata_folder f ON f.tree = t.id
    WHERE t.name = p_tree AND f.path > p_after
    ORDER BY f.path LIMIT p_limit
$$;
COMMENT ON FUNCTION coterie.appdata_outline(text, text, int) IS
    'What stands for each folder of a manifest: some folders after one, in order. For programs that scan.';
REVOKE ALL ON FUNCTION coterie.appdata_outline(text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_outline(text, text, int) TO coterie_agent, coterie_operator;
