-- after functions/appdata_moment.sql
CREATE OR REPLACE FUNCTION coterie.appdata_diff(p_before text, p_after text)
RETURNS TABLE (path text, change text, kind text, class text, size_before bigint, size_after bigint,
               modified_before timestamptz, modified_after timestamptz, digest_before text, digest_after text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH trees AS MATERIALIZED (
        SELECT (SELECT t.id FROM coterie.appdata_tree t WHERE t.name = p_before) AS a,
               (SELECT t.id FROM coterie.appdata_tree t WHERE t.name = p_after) AS b
    ), a AS (
        SELECT f.path, f.exact FROM coterie.appdata_folder f WHERE f.tree = (SELECT a FROM trees)
    ), b AS (
        SELECT f.path, f.exact FROM coterie.appdata_folder f WHERE f.tree = (SELECT b FROM trees)
    ), differing AS MATERIALIZED ( -- what has the same sum is the same, to the last file below
        SELECT path FROM a FULL JOIN b USING (path) WHERE a.exact IS NULL OR b.exact IS NULL OR a.exact <> b.exact
    ), x AS (
        SELECT l.* FROM coterie.appdata_page p JOIN differing d ON d.path = p.folder, coterie.appdata_lines(p.folder, p.entries) l
        WHERE p.tree = (SELECT a FROM trees)
    ), y AS (
        SELECT l.* FROM coterie.appdata_page p JOIN differing d ON d.path = p.folder, coterie.appdata_lines(p.folder, p.entries) l
        WHERE p.tree = (SELECT b FROM trees)
    ), found AS (
        SELECT coalesce(x.path, y.path) AS path,
               CASE WHEN x.path IS NULL THEN 'created'
                    WHEN y.path IS NULL THEN 'deleted'
                    WHEN x.kind = 'unknown' OR y.kind = 'unknown' THEN 'uncertain'
                    WHEN x.kind <> y.kind OR x.target IS DISTINCT FROM y.target OR x.size <> y.size OR x.digest <> y.digest THEN 'modified'
                    WHEN x.kind = 'file' AND (x.error IS NOT NULL OR y.error IS NOT NULL) THEN 'uncertain'
                    WHEN x.kind = 'file' AND (x.digest IS NULL OR y.digest IS NULL) AND x.modified <> y.modified THEN 'modified'
                    WHEN x.mode <> y.mode OR x.uid <> y.uid OR x.gid <> y.gid OR x.kind = 'file' AND x.modified <> y.modified THEN 'touched'
               END AS change,
               coalesce(y.kind, x.kind) AS kind, coalesce(y.class, x.class) AS class, x.size AS sx, y.size AS sy, x.modified AS mx, y.modified AS my, x.digest AS dx, y.digest AS dy,
               'secret' IN (x.class, y.class) IS TRUE AS secret
        FROM x FULL JOIN y ON x.path = y.path
    )
    SELECT f.path, f.change, f.kind, f.class, f.sx, f.sy, coterie.appdata_moment(f.mx), coterie.appdata_moment(f.my),
           CASE WHEN f.secret THEN NULL ELSE f.dx END, CASE WHEN f.secret THEN NULL ELSE f.dy END
    FROM found f WHERE f.change IS NOT NULL ORDER BY f.path COLLATE "C"
$$;
COMMENT ON FUNCTION coterie.appdata_diff(text, text) IS
    'What differs between two trees, share or node/NAME: created (only in the second), deleted (only in the first), modified, touched (mode, owner or time alone), uncertain. Only folders whose sums differ are looked into; digests of the class secret are left out.';
REVOKE ALL ON FUNCTION coterie.appdata_diff(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_diff(text, text) TO coterie_reader;
