CREATE OR REPLACE FUNCTION coterie.appdata_store(
    p_tree text, p_scan bigint, p_seen bigint, p_batch jsonb, p_page_folders text[], p_page_firsts text[], p_page_entries text[], p_pages text DEFAULT NULL)
RETURNS TABLE (head bigint, skipped text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.appdata_tree;
    later text[];
    number bigint;
    noted bigint;
    -- An array of long texts takes longer to be read than to be stored; one text with a
    -- character that no page has after each of them does not.
    pages text[] := coalesce(string_to_array(p_pages, E'\x1e', E'\x1f'), p_page_entries);
BEGIN
    -- Changes are numbered in the order of their commits: whoever reads up to a number has missed none below it.
    SELECT x.* INTO t FROM coterie.appdata_tree x WHERE x.name = p_tree FOR UPDATE;
    IF NOT FOUND OR t.scan <> p_scan THEN
        RAISE EXCEPTION 'another scan of % has begun since', p_tree USING ERRCODE = 'CT040';
    END IF;
    number := t.head + 1;
    -- What somebody told of a folder since this scan read what was known of it stands; the next scan looks again.
    SELECT coalesce(array_agg(f.path), '{}') INTO later
    FROM coterie.appdata_folder f
    WHERE f.tree = t.id AND f.moved > p_seen AND f.scan <> p_scan;

    DELETE FROM coterie.appdata_page p
    USING jsonb_array_elements_text(coalesce(p_batch->'removed', '[]')) AS r (path)
    WHERE p.tree = t.id AND p.folder = r.path AND p.folder <> ALL (later);
    DELETE FROM coterie.appdata_folder f
    USING jsonb_array_elements_text(coalesce(p_batch->'removed', '[]')) AS r (path)
    WHERE f.tree = t.id AND f.path = r.path AND f.path <> ALL (later);
    -- What stands above a folder that has other sums now has others too, and is stored
    -- later: should this scan end before, the next one makes them.
    WITH RECURSIVE above (path) AS (
        SELECT coterie.appdata_folder_of(r.path)
        FROM jsonb_to_recordset(coalesce(p_batch->'folders', '[]')) AS r (path text, content text, exact text, files bigint, bytes bigint, holes bigint)
        LEFT JOIN coterie.appdata_folder f ON f.tree = t.id AND f.path = r.path
        WHERE r.path <> '.' AND (f.content, f.exact, f.files, f.bytes, f.holes)
            IS DISTINCT FROM (decode(r.content, 'hex'), decode(r.exact, 'hex'), coalesce(r.files, 0), coalesce(r.bytes, 0), coalesce(r.holes, 0))
        UNION
        SELECT coterie.appdata_folder_of(a.path) FROM above a WHERE a.path <> '.'
    )
    UPDATE coterie.appdata_folder f SET content = NULL, exact = NULL
    FROM above a WHERE f.tree = t.id AND f.path = a.path AND f.content IS NOT NULL AND f.scan <> p_scan;
    INSERT INTO coterie.appdata_folder AS f (tree, path, content, exact, looks, files, bytes, holes, error, scan, moved)
    SELECT t.id, r.path, decode(r.content, 'hex'), decode(r.exact, 'hex'), decode(r.looks, 'hex'), coalesce(r.files, 0), coalesce(r.bytes, 0), coalesce(r.holes, 0), coalesce(r.error, ''), p_scan, number
    FROM jsonb_to_recordset(coalesce(p_batch->'folders', '[]')) AS r (path text, content text, exact text, looks text, files bigint, bytes bigint, holes bigint, error text)
    WHERE r.path <> ALL (later)
    ON CONFLICT (tree, path) DO UPDATE
    SET content = excluded.content, exact = excluded.exact, looks = excluded.looks, files = excluded.files, bytes = excluded.bytes, holes = excluded.holes,
        error = excluded.error, scan = excluded.scan, moved = excluded.moved;
    DELETE FROM coterie.appdata_page p
    USING unnest(p_page_folders, p_page_firsts, pages) AS r (folder, first, entries)
    WHERE r.folder IS NOT NULL AND r.entries IS NULL AND p.tree = t.id AND p.folder = r.folder AND p.first = r.first AND p.folder <> ALL (later);
    INSERT INTO coterie.appdata_page AS p (tree, folder, first, entries)
    SELECT t.id, r.folder, r.first, r.entries
    FROM unnest(p_page_folders, p_page_firsts, pages) AS r (folder, first, entries)
    WHERE r.folder IS NOT NULL AND r.entries IS NOT NULL AND r.folder <> ALL (later)
    ON CONFLICT (tree, folder, first) DO UPDATE SET entries = excluded.entries;

    INSERT INTO coterie.appdata_change (tree, seq, path, from_path, change, kind, class, size, digest, seen_by, source, latency)
    SELECT t.id, number + row_number() OVER (ORDER BY r.nr), c.path, c.from_path, c.change, c.kind, c.class, coalesce(c.size, 0), decode(c.digest, 'hex'),
           coalesce(t.scanned_by, ''), 'scan', c.latency_ms * interval '1 millisecond'
    FROM jsonb_array_elements(coalesce(p_batch->'changes', '[]')) WITH ORDINALITY AS r (said, nr),
         jsonb_to_record(r.said) AS c (path text, from_path text, change text, kind text, class text, size bigint, digest text, latency_ms float8)
    WHERE coterie.appdata_folder_of(c.path) <> ALL (later);
    GET DIAGNOSTICS noted = ROW_COUNT;

    UPDATE coterie.appdata_tree x
    SET head = number + noted, moved_at = coterie.clock(), found = x.found + noted,
        folders = coalesce((p_batch->>'looked_folders')::bigint, x.folders), entries = coalesce((p_batch->>'looked_entries')::bigint, x.entries),
        read_bytes = coalesce((p_batch->>'read_bytes')::bigint, x.read_bytes), errors = coalesce((p_batch->>'errors')::bigint, x.errors)
    WHERE x.id = t.id;
    IF noted > 0 THEN
        PERFORM pg_notify('coterie_appdata', p_tree);
    END IF;
    RETURN QUERY SELECT number + noted, later;
END $$;
COMMENT ON FUNCTION coterie.appdata_store(text, bigint, bigint, jsonb, text[], text[], text[], text) IS
    'A scan stores what it found: {"folders": [{"path", "content", "exact", "looks", "files", "bytes", "holes", "error"}], "removed": [...], "changes": [{"path", "from_path", "change", "kind", "class", "size", "digest", "latency_ms"}], "looked_folders", "looked_entries", "read_bytes", "errors"} and pages, of which one without text is removed; their texts as an array, or as p_pages, each with the character 30 after it, and 31 for none. Gives the number of the last change, and the folders of which somebody told after the number p_seen: they are left as they are. Raises CT040 when another scan has begun since.';
REVOKE ALL ON FUNCTION coterie.appdata_store(text, bigint, bigint, jsonb, text[], text[], text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_store(text, bigint, bigint, jsonb, text[], text[], text[], text) TO coterie_agent, coterie_operator;
