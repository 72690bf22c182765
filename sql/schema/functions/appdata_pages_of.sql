CREATE OR REPLACE FUNCTION coterie.appdata_pages_of(p_tree text, p_folder text)
RETURNS TABLE (first text, entries text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT p.first, p.entries
    FROM coterie.appdata_tree t
    JOIN coterie.appdata_page p ON p.tree = t.id
    WHERE t.name = p_tree AND p.folder = p_folder
    ORDER BY p.first
$$;
COMMENT ON FUNCTION coterie.appdata_pages_of(text, text) IS
    'Pages of one folder of a manifest as they are kept, with all digests, in order. For programs that scan.';
REVOKE ALL ON FUNCTION coterie.appdata_pages_of(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_pages_of(text, text) TO coterie_agent, coterie_operator;
