CREATE OR REPLACE FUNCTION coterie.appdata_begin(p_tree text, p_node text, p_layout text)
RETURNS TABLE (scan bigint, head bigint, first boolean, layout text, moment bigint, accepted bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.appdata_tree;
    before text;
    this_moment timestamptz := coterie.clock();
BEGIN
    INSERT INTO coterie.appdata_tree (name) VALUES (p_tree) ON CONFLICT (name) DO NOTHING;
    SELECT x.layout INTO before FROM coterie.appdata_tree x WHERE x.name = p_tree FOR UPDATE;
    UPDATE coterie.appdata_tree x
    SET scan = x.scan + 1, scanned_by = p_node, layout = p_layout, begun_at = this_moment, moved_at = this_moment, finished_at = NULL,
        folders = 0, entries = 0, read_bytes = 0, errors = 0, found = 0
    WHERE x.name = p_tree RETURNING x.* INTO t;
    RETURN QUERY SELECT t.scan, t.head, t.whole_at IS NULL, before, extract(epoch FROM this_moment)::bigint, t.accepted;
END $$;
COMMENT ON FUNCTION coterie.appdata_begin(text, text, text) IS
    'A node begins to scan a tree by a layout: the scan''s number, with which it stores; the number of the manifest''s last change; whether nothing is known as a whole yet; the layout of the scan before; the moment, in seconds since 1970; how many missing files an operator has accepted. A scan that began earlier stores nothing more.';
REVOKE ALL ON FUNCTION coterie.appdata_begin(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_begin(text, text, text) TO coterie_agent, coterie_operator;
