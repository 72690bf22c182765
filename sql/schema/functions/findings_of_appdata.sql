CREATE OR REPLACE FUNCTION coterie.findings_of_appdata() RETURNS SETOF coterie.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM coterie.storage) THEN
        RETURN QUERY
        WITH alive AS (
            SELECT s.node AS name FROM coterie.session s WHERE s.expires_at > coterie.clock()
        )
        SELECT k.code, CASE g.state WHEN 'DEGRADED' THEN 'warning' ELSE 'error' END, g.node, g.since,
               format('%s: %s%s', g.node, k.text, coalesce(': ' || nullif(g.reason, ''), '')), k.remedy
        FROM coterie.storage g
        JOIN alive a ON a.name = g.node
        JOIN (VALUES ('NOT_MOUNTED', 'COT-301', 'the share is not mounted', 'mount it'),
                     ('HUNG', 'COT-302', 'the share hangs', 'look at the file server and the network between'),
                     ('READ_ONLY', 'COT-303', 'the share is read-only', 'remount it with write access'),
                     ('WRONG_SHARE', 'COT-304', 'it is another share', 'compare the mounts of the nodes'),
                     ('FULL', 'COT-305', 'the share is full', 'free space or inodes'),
                     ('STALE', 'COT-306', 'the share is stale', 'mount it again'),
                     ('OLD_GENERATION', 'COT-307', 'the share is of an old generation', 'find out whether it was restored from a backup'),
                     ('DEGRADED', 'COT-308', 'the share is slow or flawed', 'coterie doctor --explain COT-308')
             ) AS k (state, code, text, remedy) ON k.state = g.state::text
        UNION ALL
        SELECT 'COT-314', 'error', x.reader, x.since, format('%s and %s do not see one share: %s', x.reader, x.writer, x.reason),
               'compare the mounts of the two nodes, source and options'
        FROM coterie.sights x
        JOIN coterie.storage r ON r.node = x.reader AND r.state IN ('OK', 'DEGRADED')
        JOIN coterie.storage w ON w.node = x.writer AND w.state IN ('OK', 'DEGRADED')
        WHERE NOT x.seen
        UNION ALL
        -- One node's machine holds the files of all; GlusterFS and the like keep them on several.
        SELECT 'COT-323', 'note', f.node, min(f.since),
               format('%s serves the share to %s: while its machine is away nobody has it', f.node, string_agg(f.reader, ' ' ORDER BY f.reader)),
               'have a machine that runs no node serve it, or a storage system of several'
        FROM (SELECT n.name AS node, g.node AS reader, g.since
              FROM coterie.storage g
              JOIN alive a ON a.name = g.node
              CROSS JOIN LATERAL (SELECT lower(coalesce(substring(g.source from '^//([^/]+)/'),
                                                        substring(g.source from '^(?:[^@/]*@)?\[?([^]/]+?)\]?:'))) AS host) s
              JOIN coterie.node n ON n.state NOT IN ('left', 'evicted') AND n.name <> g.node
               AND s.host IN (lower(n.name), lower(n.host), lower(split_part(n.host, '.', 1)), lower(n.address))
              WHERE g.fs_type IN ('nfs', 'nfs4', 'cifs', 'smb3', 'fuse.sshfs')) f
        GROUP BY f.node
        UNION ALL
        SELECT 'COT-316', 'warning', h.node, h.acted_at, format('%s: hook %s did not work: %s', h.node, h.hook, h.trouble), 'do what it should have done on that node, and mend it'
        FROM coterie.appdata_hook h JOIN alive a ON a.name = h.node WHERE h.trouble <> '';
    END IF;
    IF EXISTS (SELECT FROM coterie.own) THEN
        RETURN QUERY
        SELECT 'COT-310', 'warning', d.node, min(d.since),
               format('%s: %s of its own files %s: %s%s', d.node, count(*),
                      CASE WHEN bool_and(d.reference IS NOT NULL) THEN 'are not as they should be' ELSE 'differ, and which node is right cannot be told' END,
                      string_agg(d.path, ', ' ORDER BY d.path) FILTER (WHERE d.place <= 3), CASE WHEN count(*) > 3 THEN ', ...' ELSE '' END),
               CASE WHEN bool_and(d.reference IS NOT NULL) THEN format('coterie appdata diff %s', d.node)
                    ELSE format('coterie appdata diff %s; coterie appdata reference NODE', d.node) END
        FROM (SELECT x.node, x.path, x.since, x.reference, row_number() OVER (PARTITION BY x.node ORDER BY x.path) AS place FROM coterie.drift x) d
        GROUP BY d.node
        UNION ALL
        SELECT 'COT-317', 'warning', o.node, o.since, format('%s cannot look at its own files: %s', o.node, o.trouble),
               'see that equal.root is there, and may be read by the user of the agent'
        FROM coterie.own o JOIN coterie.session s ON s.node = o.node AND s.expires_at > coterie.clock()
        WHERE o.trouble <> '';
    END IF;
    IF EXISTS (SELECT FROM coterie.appdata_tree) THEN
        RETURN QUERY
        SELECT 'COT-315', 'warning', t.name, t.doubted_at, format('%s: %s may have missed changes: %s', t.name, t.doubted_by, t.doubt),
               CASE WHEN EXISTS (SELECT FROM coterie.job j WHERE j.action = 'coterie.verify-manifest' AND j.enabled)
                    THEN 'wait for the scan that was asked for' ELSE 'coterie appdata scan; a job with the action coterie.verify-manifest does it by itself' END
        FROM coterie.appdata_tree t WHERE t.doubted_at < coterie.clock() - interval '1 minute'
        UNION ALL
        SELECT 'COT-312', 'error', t.name, t.held_since,
               format('%s: %s files are missing, too many to be believed', t.name, t.held_files),
               'see that the right share is mounted; if they are really gone: coterie appdata accept'
        FROM coterie.appdata_tree t WHERE t.held_files > 0;
    END IF;
END $$;
COMMENT ON FUNCTION coterie.findings_of_appdata() IS 'Open problems of the share and its files.';
REVOKE ALL ON FUNCTION coterie.findings_of_appdata() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.findings_of_appdata() TO coterie_reader;
