CREATE OR REPLACE FUNCTION coterie.appdata_known(p_tree text, p_folders text[], p_below text[])
RETURNS TABLE (path text, error text, moved bigint, first text, entries text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT f.path, f.error, f.moved, p.first, p.entries
    FROM coterie.appdata_tree t
    JOIN coterie.appdata_folder f ON f.tree = t.id
    LEFT JOIN coterie.appdata_page p ON p.tree = f.tree AND p.folder = f.path
    WHERE t.name = p_tree AND (f.path = ANY (p_folders) OR EXISTS (SELECT FROM unnest(p_below) AS b (path) WHERE f.path = b.path OR starts_with(f.path, b.path || '/')))
    ORDER BY f.path, p.first
$$;
COMMENT ON FUNCTION coterie.appdata_known(text, text[], text[]) IS
    'What is kept of some folders of a manifest, and of some with all below them: a row per page, with all digests. For programs that look at them anew.';
REVOKE ALL ON FUNCTION coterie.appdata_known(text, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_known(text, text[], text[]) TO coterie_agent, coterie_operator;
