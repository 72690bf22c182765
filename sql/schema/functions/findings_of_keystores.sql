CREATE OR REPLACE FUNCTION coterie.findings_of_keystores() RETURNS SETOF coterie.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM coterie.expiry) THEN
        RETURN QUERY
        SELECT CASE WHEN v.not_after IS NULL OR v.what = v.trouble THEN 'COT-531' ELSE 'COT-530' END, v.severity, v.place,
               coalesce(v.not_after - CASE v.severity WHEN 'error' THEN interval '1 day' WHEN 'warning' THEN interval '7 days' ELSE interval '30 days' END, v.checked_at),
               left(format('%s%s: %s%s', v.place, CASE WHEN v.alias <> '' THEN format(' (%s)', v.alias) END,
                           CASE WHEN v.not_after IS NOT NULL THEN format('the certificate of %s ', v.subject) END, v.what), 500),
               format('put a new one in its place, and look again: coterie run %s', v.job)
        FROM coterie.expiries v WHERE v.severity IS NOT NULL;
    END IF;
    IF EXISTS (SELECT FROM coterie.keystore) THEN
        RETURN QUERY
        WITH alive AS (
            SELECT s.node AS name FROM coterie.session s WHERE s.expires_at > coterie.clock()
        )
        SELECT 'COT-530', CASE WHEN k.not_after <= coterie.clock() + interval '1 day' THEN 'error' WHEN k.not_after <= coterie.clock() + interval '7 days' THEN 'warning' ELSE 'note' END,
               k.name, k.not_after - CASE WHEN k.not_after <= coterie.clock() + interval '1 day' THEN interval '1 day' WHEN k.not_after <= coterie.clock() + interval '7 days' THEN interval '7 days' ELSE interval '30 days' END,
               left(format('keystore %s: the certificate of version %s ends on %s', k.name, k.version, to_char(k.not_after AT TIME ZONE 'UTC', 'YYYY-MM-DD')), 500),
               'stage a new one: coterie keystore stage FILE, then coterie keystore activate'
        FROM coterie.keystore k WHERE k.state = 'active' AND k.not_after <= coterie.clock() + interval '30 days'
        UNION ALL
        SELECT 'COT-926', CASE c.state WHEN 'failed' THEN 'error' ELSE 'warning' END, c.node, c.reported_at,
               left(format('%s: keystore %s: %s', c.node, c.keystore, coalesce(nullif(c.error, ''), c.state)), 500),
               'coterie keystore status; then start its agent again, or coterie keystore place'
        FROM coterie.certificates c JOIN alive a ON a.name = c.node WHERE c.state IN ('drifted', 'failed')
        UNION ALL
        SELECT 'COT-924', 'warning', r.name, r.moved_at,
               left(format('version %s of %s is on its way back: %s', r.version, r.name, r.failure), 500), 'coterie keystore status'
        FROM coterie.keystore_rollouts r WHERE r.phase = 'back' AND r.overdue;
    END IF;
    IF EXISTS (SELECT FROM coterie.encryption) THEN
        RETURN QUERY
        SELECT 'COT-930', 'error', v.node, v.seen_at,
               left(format('%s %s', v.node, CASE WHEN v.error <> '' THEN format('cannot read the encryption keystore %s: %s', v.path, v.error)
                                                 WHEN v.sha256 IS NULL THEN format('sees no encryption keystore %s', v.path)
                                                 ELSE format('sees another encryption keystore %s: %s..., and not %s...', v.path, left(v.sha256, 16), left(v.expected, 16)) END), 500),
               'give it the right file; if the other is meant: coterie keystore accept'
        FROM coterie.encryptions v WHERE v.living AND NOT v.ok;
    END IF;
    IF EXISTS (SELECT FROM coterie.keystore_file) THEN
        RETURN QUERY
        SELECT 'COT-933', 'warning', v.name, v.seen_at,
               left(format('the copy of %s on the share, %s: %s', v.name, v.path, v.error), 500),
               'look at the file, its folder and their rights; it is written again by itself'
        -- Of who is at it: what nobody writes any more is no problem of anybody.
        FROM coterie.keystore_files v
        WHERE v.error <> '' AND EXISTS (SELECT FROM coterie.lease l JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation WHERE l.name = 'keystore/' || v.name AND l.token = v.token);
    END IF;
    IF EXISTS (SELECT FROM coterie.renewal r WHERE r.failures > 0) THEN
        RETURN QUERY
        SELECT 'COT-934', 'warning', v.name, v.failing_since,
               left(format('the certificate of %s was not renewed (%s): %s', v.name, CASE v.failures WHEN 1 THEN 'once tried' ELSE format('%s times tried', v.failures) END, v.error), 500),
               format('look at renewal.command on %s; it is tried again at %s', v.node, to_char(v.next_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
        FROM coterie.renewals v
        -- What somebody renewed by hand since is renewed.
        WHERE v.failures > 0 AND NOT EXISTS (SELECT FROM coterie.keystore_rollout d WHERE d.name = v.name AND d.phase = 'done' AND d.ended_at > coalesce(v.ended_at, v.begun_at));
    END IF;
    IF EXISTS (SELECT FROM coterie.trust_node) THEN
        RETURN QUERY
        WITH alive AS (
            SELECT s.node AS name FROM coterie.session s WHERE s.expires_at > coterie.clock()
        )
        SELECT 'COT-940', 'warning', t.from_node || ' to ' || t.to_node, t.since,
               left(format('%s cannot call the server of %s: %s', t.from_node, t.to_node, coalesce(nullif(t.reason, ''), t.result)), 500), t.remedy
        FROM coterie.trusts t JOIN alive a ON a.name = t.from_node JOIN alive b ON b.name = t.to_node WHERE NOT t.ok
        UNION ALL
        SELECT 'COT-941', CASE WHEN r.state = 'behind' THEN 'warning' ELSE 'error' END, r.node, r.since,
               left(format('%s has version %s of the trust store, the newest is %s%s', r.node, r.version, r.newest, CASE WHEN r.error <> '' THEN ': ' || r.error END), 500),
               CASE WHEN r.state = 'foreign' THEN 'have its certificates trusted (coterie trust add), or move the file away'
                    ELSE 'look at what its agent logs, and at the folder of the file' END
        FROM coterie.trust_renderings r JOIN alive a ON a.name = r.node
        WHERE r.state IN ('failed', 'foreign') OR r.state = 'behind' AND r.since < coterie.clock() - interval '30 seconds'
        UNION ALL
        SELECT 'COT-530', CASE WHEN e.not_after <= coterie.clock() + interval '1 day' THEN 'error' WHEN e.not_after <= coterie.clock() + interval '7 days' THEN 'warning' ELSE 'note' END,
               e.alias, e.not_after - CASE WHEN e.not_after <= coterie.clock() + interval '1 day' THEN interval '1 day' WHEN e.not_after <= coterie.clock() + interval '7 days' THEN interval '7 days' ELSE interval '30 days' END,
               left(format('trust store: the certificate %s of %s ends on %s', e.alias, e.subject, to_char(e.not_after AT TIME ZONE 'UTC', 'YYYY-MM-DD')), 500),
               CASE WHEN e.node IS NULL THEN 'add its successor: coterie trust add; then remove this one' ELSE format('give the server of %s a new one', e.node) END
        FROM coterie.trust_entries e
        WHERE e.not_after <= coterie.clock() + interval '30 days'
          -- What was given up, and what a keystore of the cluster brings, is told elsewhere.
          AND (e.node IS NULL OR EXISTS (SELECT FROM coterie.trust_certificate c WHERE c.node = e.node AND c.fingerprint = e.fingerprint AND c.served))
          AND NOT EXISTS (SELECT FROM coterie.keystore k WHERE k.state = 'active' AND k.fingerprint = e.fingerprint);
    END IF;
    IF EXISTS (SELECT FROM coterie.approval p WHERE p.state = 'pending') THEN
        RETURN QUERY
        SELECT 'COT-942', 'warning', p.node, p.asked_at,
               left(format('%s (%s) waits for approval; its fingerprint is %s', p.node, p.host, p.id), 500),
               format('compare the fingerprint with what the node shows, then: coterie nodes approve %s --fingerprint %s', p.node, p.id)
        FROM coterie.approvals p CROSS JOIN coterie.setting s WHERE p.state = 'pending' AND s.approval;
    END IF;
END $$;
COMMENT ON FUNCTION coterie.findings_of_keystores() IS 'Open problems of certificates: of the cluster''s keystores, of trust between servers, and of other files that jobs look at.';
REVOKE ALL ON FUNCTION coterie.findings_of_keystores() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.findings_of_keystores() TO coterie_reader;
