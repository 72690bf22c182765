CREATE OR REPLACE FUNCTION coterie.appdata_page_list(p_tree text, p_after text, p_upto text)
RETURNS TABLE (folder text, first text, entries text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT p.folder, p.first, p.entries
    FROM coterie.appdata_tree t
    JOIN coterie.appdata_page p ON p.tree = t.id
    WHERE t.name = p_tree AND p.folder > p_after AND p.folder <= p_upto
    ORDER BY p.folder, p.first
$$;
COMMENT ON FUNCTION coterie.appdata_page_list(text, text, text) IS
    'Pages of a manifest as they are kept, with all digests: of the folders after one, up to another, in order. For programs that scan.';
REVOKE ALL ON FUNCTION coterie.appdata_page_list(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_page_list(text, text, text) TO coterie_agent, coterie_operator;
