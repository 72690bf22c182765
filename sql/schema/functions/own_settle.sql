CREATE OR REPLACE FUNCTION coterie.own_settle() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    moved text[];
    changed bigint;
BEGIN
    -- One after another: whoever settles later has seen more.
    PERFORM pg_advisory_xact_lock(hashtext('coterie.own_settle'));
    WITH differ AS MATERIALIZED (
        SELECT d.node, d.path, d.class, d.differs, d.expected, d.found, d.reference, d.against FROM coterie.own_differences() d
    ), mended AS (
        DELETE FROM coterie.drift x WHERE NOT EXISTS (SELECT FROM differ d WHERE d.node = x.node AND d.path = x.path)
        RETURNING x.node
    ), noted AS (
        INSERT INTO coterie.drift AS x (node, path, class, differs, expected, found, reference, against)
        SELECT d.node, d.path, d.class, d.differs, d.expected, d.found, d.reference, d.against FROM differ d
        ON CONFLICT (node, path) DO UPDATE
        SET class = excluded.class, differs = excluded.differs, expected = excluded.expected, found = excluded.found,
            reference = excluded.reference, against = excluded.against
        WHERE (x.class, x.differs, x.expected, x.found, x.reference, x.against)
              IS DISTINCT FROM (excluded.class, excluded.differs, excluded.expected, excluded.found, excluded.reference, excluded.against)
        RETURNING x.node
    ), both_ AS (
        SELECT m.node FROM mended m UNION ALL SELECT n.node FROM noted n
    )
    SELECT count(*), array_agg(DISTINCT b.node) INTO changed, moved FROM both_ b;
    IF changed = 0 THEN
        RETURN 0;
    END IF;
    DELETE FROM coterie.own_text t
    WHERE NOT EXISTS (SELECT FROM coterie.drift d WHERE d.path = t.path AND (d.node = t.node OR d.against = t.node));
    -- The nodes that have the texts look at the ledger.
    INSERT INTO coterie.event (node, kind, subject, detail)
    SELECT m.node, CASE WHEN count(d.node) = 0 THEN 'appdata.mended' ELSE 'appdata.drifted' END, m.node,
           jsonb_build_object('files', count(d.node), 'sample', to_jsonb((array_agg(d.path ORDER BY d.path) FILTER (WHERE d.path IS NOT NULL))[1:5]))
    FROM unnest(moved) AS m (node) LEFT JOIN coterie.drift d ON d.node = m.node
    WHERE EXISTS (SELECT FROM coterie.node n WHERE n.name = m.node)
    GROUP BY m.node ORDER BY m.node;
    RETURN changed;
END $$;
COMMENT ON FUNCTION coterie.own_settle() IS 'Writes what differs between the nodes'' own files to coterie.drift, with an event per node for which that changed; returns how many rows did. What has differed before keeps its time.';
REVOKE ALL ON FUNCTION coterie.own_settle() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_settle() TO coterie_agent, coterie_operator;
