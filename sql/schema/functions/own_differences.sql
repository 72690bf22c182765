CREATE OR REPLACE FUNCTION coterie.own_differences()
RETURNS TABLE (node text, path text, class text, differs text[], expected text, found text, reference text, against text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH tree AS MATERIALIZED (
        SELECT t.id, o.node, o.rules, t.exact, t.holes
        FROM coterie.own o JOIN coterie.appdata_tree t ON t.name = 'node/' || o.node
        WHERE t.whole_at IS NOT NULL
    ), number AS MATERIALIZED (
        SELECT count(*) AS trees FROM tree
    ), named AS MATERIALIZED ( -- the node that an operator named, if it has told what it has
        SELECT r.node FROM coterie.own_reference r JOIN tree t ON t.node = r.node
    ), unlike AS MATERIALIZED ( -- what has the same sum is the same, to the last file below
        SELECT f.path
        FROM coterie.appdata_folder f JOIN tree t ON t.id = f.tree
        WHERE (SELECT count(*) < n.trees OR count(DISTINCT x.exact) > 1 OR count(x.exact) < n.trees OR sum(x.holes) > 0 FROM tree x, number n GROUP BY n.trees)
        GROUP BY f.path
        HAVING count(*) < (SELECT trees FROM number) OR count(DISTINCT f.exact) > 1 OR count(f.exact) < count(*) OR sum(f.holes) > 0
    ), entry AS MATERIALIZED (
        SELECT t.node, l.path, l.kind, l.class, l.error,
               CASE l.kind WHEN 'file' THEN coalesce(l.digest, l.error, 'not read') WHEN 'link' THEN coalesce(l.target, l.error) ELSE l.error END AS what,
               CASE WHEN l.kind <> 'link' THEN l.mode END AS mode, l.uid || ':' || l.gid AS owner,
               l.kind = 'unknown' OR l.kind = 'file' AND l.digest IS NULL AS dark
        FROM unlike u
        JOIN tree t ON true
        JOIN coterie.appdata_page p ON p.tree = t.id AND p.folder = u.path,
             coterie.appdata_lines(p.folder, p.entries) l
        WHERE l.class <> 'per_host'
    ), place AS (
        SELECT e.path, max(e.class) AS class FROM entry e GROUP BY e.path
    ), grid AS MATERIALIZED (
        SELECT p.path, p.class, t.node, e.kind, e.what, e.mode, e.owner, e.error, coalesce(e.dark, false) AS dark,
               concat_ws('|', coalesce(e.kind, '-'), coalesce(e.what, ''), coalesce(e.mode, ''), coalesce(e.owner, '')) AS value
        FROM place p CROSS JOIN tree t LEFT JOIN entry e ON e.path = p.path AND e.node = t.node
    ), vote AS (
        SELECT g.path, g.value, count(*) AS nodes, min(g.node) AS first FROM grid g GROUP BY g.path, g.value
    ), most AS ( -- more than half of the nodes
        SELECT v.path, v.first FROM vote v, number n WHERE 2 * v.nodes > n.trees
    ), meant AS ( -- by whom each node is measured
        SELECT g.path, g.node,
               coalesce((SELECT node FROM named), m.first, o.node) AS against,
               CASE WHEN (SELECT node FROM named) IS NOT NULL THEN (SELECT node FROM named) WHEN m.first IS NOT NULL THEN 'most' END AS reference
        FROM grid g
        LEFT JOIN most m ON m.path = g.path
        LEFT JOIN LATERAL (SELECT x.node FROM grid x WHERE m.first IS NULL AND x.path = g.path AND x.value <> g.value ORDER BY x.node LIMIT 1) o ON true
    ), told AS (
        SELECT g.node, g.path, g.class, m.reference, m.against, g.what AS found, CASE WHEN m.reference IS NOT NULL THEN e.what END AS expected,
               g.kind AS has, e.kind AS should,
               CASE WHEN g.kind IS NULL THEN ARRAY['missing']
                    WHEN e.kind IS NULL THEN ARRAY['extra']
                    WHEN g.dark OR e.dark THEN ARRAY['unclear']
                    WHEN g.kind <> e.kind THEN ARRAY['kind']
                    ELSE array_remove(ARRAY[CASE WHEN g.what IS NOT DISTINCT FROM e.what THEN NULL WHEN g.error IS NOT NULL OR e.error IS NOT NULL THEN 'unclear' ELSE 'content' END,
                                            CASE WHEN g.mode <> e.mode THEN 'mode' END, CASE WHEN g.owner <> e.owner THEN 'owner' END], NULL)
               END AS differs
        FROM meant m
        JOIN grid g ON g.path = m.path AND g.node = m.node
        JOIN grid e ON e.path = m.path AND e.node = m.against
        WHERE g.value <> e.value OR g.dark
    )
    SELECT d.node, d.path, d.class, d.differs, d.expected, d.found, d.reference, d.against
    FROM told d
    -- Of a folder that is there on one side alone, the folder alone is told.
    LEFT JOIN grid above ON above.node = d.node AND above.path = coterie.appdata_folder_of(d.path)
    LEFT JOIN grid other ON other.node = d.against AND other.path = above.path
    WHERE cardinality(d.differs) > 0 AND (above.path IS NULL OR above.kind = 'folder' AND other.kind = 'folder' OR above.kind IS NULL AND other.kind IS NULL)
    UNION ALL
    SELECT t.node, '.', 'shared', ARRAY['rules'], r.rules, t.rules, (SELECT node FROM named), r.node
    FROM tree t
    JOIN LATERAL (SELECT x.node, x.rules FROM tree x WHERE x.rules <> t.rules ORDER BY x.node = (SELECT node FROM named) DESC, x.node LIMIT 1) r ON true
    WHERE t.node IS DISTINCT FROM (SELECT node FROM named)
$$;
COMMENT ON FUNCTION coterie.own_differences() IS
    'What differs between the files that nodes have of their own, by what they have told last: each node is held against the node that an operator named, or else against what more than half of the nodes have; where neither is there, against any that differs, and nobody says which is right. Only folders whose sums differ are looked into.';
REVOKE ALL ON FUNCTION coterie.own_differences() FROM PUBLIC;
-- Its answer has digests of secret files; the view drifts has it without.
REVOKE ALL ON FUNCTION coterie.own_differences() FROM coterie_reader;
