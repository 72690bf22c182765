CREATE OR REPLACE FUNCTION coterie.own_take_ask(p_node text, p_source text, p_paths text[], p_by text) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    asked bigint[];
BEGIN
    INSERT INTO coterie.own_take (node, source, path, was, class, by_whom)
    SELECT p_node, p_source, l.path, (
               SELECT x.digest FROM coterie.appdata_tree t JOIN coterie.appdata_page p ON p.tree = t.id AND p.folder = coterie.appdata_folder_of(l.path),
                                    coterie.appdata_lines(p.folder, p.entries) x
               WHERE t.name = 'node/' || p_node AND x.path = l.path), (
               SELECT CASE WHEN bool_or(x.class = 'secret') THEN 'secret' ELSE max(x.class) END
               FROM coterie.appdata_tree t JOIN coterie.appdata_page p ON p.tree = t.id AND p.folder = coterie.appdata_folder_of(l.path),
                    coterie.appdata_lines(p.folder, p.entries) x
               WHERE t.name IN ('node/' || p_node, 'node/' || p_source) AND x.path = l.path), p_by
    FROM unnest(p_paths) AS l (path)
    ON CONFLICT (node, path) WHERE state IN ('asked', 'given') DO NOTHING;
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, actor, peer, detail)
        VALUES (p_node, 'appdata.take', p_node, p_by, p_source, jsonb_build_object('files', cardinality(p_paths), 'sample', to_jsonb(p_paths[1:5])));
    END IF;
    SELECT coalesce(array_agg(k.id ORDER BY k.path), '{}') INTO asked
    FROM coterie.own_take k WHERE k.node = p_node AND k.source = p_source AND k.path = ANY (p_paths) AND k.state IN ('asked', 'given');
    DELETE FROM coterie.own_take k WHERE k.state NOT IN ('asked', 'given') AND k.moved_at < coterie.clock() - interval '30 days';
    RETURN asked;
END $$;
COMMENT ON FUNCTION coterie.own_take_ask(text, text, text[], text) IS
    'An operator has a node take some of its own files (quoted paths) from another; returns the numbers of the requests. One that is on its way already is that one; files on their way from a third node are left out.';
REVOKE ALL ON FUNCTION coterie.own_take_ask(text, text, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_take_ask(text, text, text[], text) TO coterie_operator;
