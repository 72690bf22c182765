CREATE OR REPLACE FUNCTION coterie.appdata_tell(
    p_node text, p_incarnation bigint, p_tree text, p_batch jsonb, p_page_folders text[], p_page_firsts text[], p_page_entries text[])
RETURNS TABLE (head bigint, stored boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.appdata_tree;
    number bigint;
    noted bigint;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another life of node % is at work', quote_literal(left(p_node, 80)) USING ERRCODE = 'CT041';
    END IF;
    -- Changes are numbered in the order of their commits, as in appdata_store.
    SELECT x.* INTO t FROM coterie.appdata_tree x WHERE x.name = p_tree FOR UPDATE;
    IF NOT FOUND OR t.whole_at IS NULL THEN
        RETURN QUERY SELECT 0::bigint, false;
        RETURN;
    END IF;
    -- Somebody else has told meanwhile, of the same change perhaps: look again.
    IF EXISTS (SELECT FROM jsonb_to_recordset(coalesce(p_batch->'read', '[]')) AS r (path text, moved bigint)
               LEFT JOIN coterie.appdata_folder f ON f.tree = t.id AND f.path = r.path
               WHERE coalesce(f.moved, 0) <> r.moved) THEN
        RETURN QUERY SELECT t.head, false;
        RETURN;
    END IF;
    number := t.head + 1;

    DELETE FROM coterie.appdata_page p
    USING jsonb_array_elements_text(coalesce(p_batch->'removed', '[]')) AS r (path)
    WHERE p.tree = t.id AND p.folder = r.path;
    DELETE FROM coterie.appdata_folder f
    USING jsonb_array_elements_text(coalesce(p_batch->'removed', '[]')) AS r (path)
    WHERE f.tree = t.id AND f.path = r.path;
    INSERT INTO coterie.appdata_folder AS f (tree, path, files, bytes, holes, error, scan, moved)
    SELECT t.id, r.path, 0, 0, 0, coalesce(r.error, ''), 0, number
    FROM jsonb_to_recordset(coalesce(p_batch->'folders', '[]')) AS r (path text, error text)
    ON CONFLICT (tree, path) DO UPDATE SET content = NULL, exact = NULL, looks = NULL, error = excluded.error, scan = 0, moved = excluded.moved;
    -- What stands above has other sums than it says; the next scan writes them.
    WITH RECURSIVE above (path) AS (
        SELECT coterie.appdata_folder_of(r.path) FROM jsonb_to_recordset(coalesce(p_batch->'folders', '[]')) AS r (path text) WHERE r.path <> '.'
        UNION
        SELECT coterie.appdata_folder_of(a.path) FROM above a WHERE a.path <> '.'
    )
    UPDATE coterie.appdata_folder f SET content = NULL, exact = NULL, scan = 0, moved = number
    FROM above a WHERE f.tree = t.id AND f.path = a.path AND f.content IS NOT NULL;

    DELETE FROM coterie.appdata_page p
    USING unnest(p_page_folders, p_page_firsts, p_page_entries) AS r (folder, first, entries)
    WHERE r.entries IS NULL AND p.tree = t.id AND p.folder = r.folder AND p.first = r.first;
    INSERT INTO coterie.appdata_page AS p (tree, folder, first, entries)
    SELECT t.id, r.folder, r.first, r.entries
    FROM unnest(p_page_folders, p_page_firsts, p_page_entries) AS r (folder, first, entries)
    WHERE r.entries IS NOT NULL
    ON CONFLICT (tree, folder, first) DO UPDATE SET entries = excluded.entries;

    INSERT INTO coterie.appdata_change (tree, seq, path, from_path, change, kind, class, size, digest, seen_by, source, latency)
    SELECT t.id, number + row_number() OVER (ORDER BY r.nr), c.path, c.from_path, c.change, c.kind, c.class, coalesce(c.size, 0), decode(c.digest, 'hex'),
           p_node, 'watch', c.latency_ms * interval '1 millisecond'
    FROM jsonb_array_elements(coalesce(p_batch->'changes', '[]')) WITH ORDINALITY AS r (said, nr),
         jsonb_to_record(r.said) AS c (path text, from_path text, change text, kind text, class text, size bigint, digest text, latency_ms float8);
    GET DIAGNOSTICS noted = ROW_COUNT;
    UPDATE coterie.appdata_tree x SET head = number + noted, content = NULL, exact = NULL WHERE x.id = t.id;
    IF noted > 0 THEN
        PERFORM pg_notify('coterie_appdata', p_tree);
    END IF;
    RETURN QUERY SELECT number + noted, true;
END $$;
COMMENT ON FUNCTION coterie.appdata_tell(text, bigint, text, jsonb, text[], text[], text[]) IS
    'A node tells what its own file system told it: {"read": [{"path", "moved"}], "folders": [{"path", "error"}], "removed": [...], "changes": [...]} and pages, as appdata_store has them. Nothing is stored, and the answer is false, when a folder was written since it was read, or the tree was never scanned. Sums of what was told, and of all above, wait for the next scan. Raises CT041 for another life than the node''s.';
REVOKE ALL ON FUNCTION coterie.appdata_tell(text, bigint, text, jsonb, text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_tell(text, bigint, text, jsonb, text[], text[], text[]) TO coterie_agent;
