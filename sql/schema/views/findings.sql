-- after views/nodes.sql
-- after views/sights.sql
-- after views/keystore_rollouts.sql
CREATE OR REPLACE VIEW coterie.findings WITH (security_barrier) AS
WITH node AS (
    SELECT n.name, n.state, n.version, n.app_version, n.host, n.started_at, n.last_seen_at, n.joined_at, n.db_rtt_ms
    FROM coterie.nodes n
    WHERE n.state NOT IN ('left', 'evicted')
), alive AS (
    SELECT * FROM node WHERE state NOT IN ('dead', 'suspect')
), versions AS (
    SELECT 'coterie' AS program, version, min(started_at) AS since, string_agg(name, ' ' ORDER BY name) AS names
    FROM alive WHERE version <> '' GROUP BY version
    UNION ALL
    SELECT 'the application', app_version, min(started_at), string_agg(name, ' ' ORDER BY name)
    FROM alive WHERE app_version <> '' GROUP BY app_version
), job AS (
    SELECT j.name, j.action, j.enabled, j.next_due_at, j.last_due_at, j.overdue, j.running_since, j.failures_in_row, j.message, j.changed_at, j.requires
    FROM coterie.jobs j
), license AS (
    SELECT v.pool, v.entitled, v.in_use, v.overdraft, v.excess, v.kind, v.shared_by, v.enforced, v.warn_at, v.used_pct, v.by_node
    FROM coterie.license_pools v
)
SELECT 'COT-611' AS code, 'error' AS severity, name AS subject, coalesce(last_seen_at, joined_at) AS since,
       format('%s is dead: its session has ended and it has not begun a new one', name) AS text,
       'look at the machine, and at systemctl status coterie on it' AS remedy
FROM node WHERE state = 'dead'
UNION ALL
SELECT 'COT-107', 'warning', 'hand-overs', s.paused_at,
       format('hand-overs are paused by %s%s', coalesce(s.paused_by, 'somebody'), coalesce(': ' || s.paused_reason, '')),
       'coterie unpause'
FROM coterie.setting s WHERE s.paused
UNION ALL
SELECT 'COT-514', 'warning', 'jobs', c.paused_at,
       format('all jobs are paused by %s%s', coalesce(c.paused_by, 'somebody'), coalesce(': ' || c.paused_reason, '')),
       'coterie unpause --jobs'
FROM coterie.job_change c WHERE c.paused_at IS NOT NULL AND c.unpaused_at IS NULL
UNION ALL
SELECT 'COT-514', 'note', p.name, p.paused_at,
       format('%s is paused by %s%s', p.name, coalesce(p.paused_by, 'somebody'), coalesce(': ' || p.paused_reason, '')),
       format('coterie unpause %s', p.name)
FROM coterie.job p WHERE p.paused_at IS NOT NULL AND p.unpaused_at IS NULL
UNION ALL
SELECT 'COT-612', 'warning', name, last_seen_at,
       format('%s is late: its session has expired and nobody has ended it', name),
       'look at the machine, and at its way to the database'
FROM node WHERE state = 'suspect'
UNION ALL
SELECT 'COT-613', 'warning', program, max(since),
       format('nodes run different versions of %s: %s', program, string_agg(format('%s (%s)', version, names), ', ' ORDER BY version)),
       'finish the upgrade'
FROM versions GROUP BY program HAVING count(*) > 1
UNION ALL
SELECT 'COT-614', 'note', host, max(started_at),
       format('%s run on one host, %s', string_agg(name, ' ' ORDER BY name), host),
       'move one of them to another machine'
FROM alive WHERE host <> '' GROUP BY host HAVING count(*) > 1
UNION ALL
SELECT 'COT-215', 'warning', name, last_seen_at,
       format('a heartbeat of %s takes %s ms', name, round(db_rtt_ms)),
       'look at the load of the database and the way to it'
FROM alive WHERE db_rtt_ms > 20
UNION ALL
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
SELECT 'COT-316', 'warning', h.node, h.acted_at, format('%s: hook %s did not work: %s', h.node, h.hook, h.trouble), 'do what it should have done on that node, and mend it'
FROM coterie.appdata_hook h JOIN alive a ON a.name = h.node WHERE h.trouble <> ''
UNION ALL
SELECT 'COT-315', 'warning', t.name, t.doubted_at, format('%s: %s may have missed changes: %s', t.name, t.doubted_by, t.doubt),
       CASE WHEN EXISTS (SELECT FROM coterie.job j WHERE j.action = 'coterie.verify-manifest' AND j.enabled)
            THEN 'wait for the scan that was asked for' ELSE 'coterie appdata scan; a job with the action coterie.verify-manifest does it by itself' END
FROM coterie.appdata_tree t WHERE t.doubted_at < coterie.clock() - interval '1 minute'
UNION ALL
SELECT 'COT-312', 'error', t.name, t.held_since,
       format('%s: %s files are missing, too many to be believed', t.name, t.held_files),
       'see that the right share is mounted; if they are really gone: coterie appdata accept'
FROM coterie.appdata_tree t WHERE t.held_files > 0
UNION ALL
SELECT 'COT-511', 'error', j.name, j.next_due_at,
       format('%s is overdue%s', j.name, coalesce(': ' || nullif(j.message, ''), '')), format('coterie jobs %s', j.name)
FROM job j WHERE j.overdue AND j.running_since IS NULL
UNION ALL
SELECT 'COT-512', 'warning', j.name, j.last_due_at,
       format('%s failed %s times in a row: %s', j.name, j.failures_in_row, j.message), format('coterie jobs %s', j.name)
FROM job j WHERE j.failures_in_row >= 3
UNION ALL
SELECT 'COT-513', 'error', j.name, j.changed_at,
       format('%s: no living node takes it, because none that is ready has the action %s%s', j.name, j.action,
              CASE WHEN j.requires <> '{}' THEN format(' and the tags %s', array_to_string(j.requires, ', ')) END),
       format('define the action %s in the configuration of a node, or resume a node that has it', j.action)
FROM job j
LEFT JOIN coterie.lease l ON l.name = 'job/' || j.name
WHERE j.enabled AND j.name NOT LIKE 'coterie.%' AND EXISTS (SELECT FROM alive)
  AND NOT EXISTS (SELECT FROM coterie.session s WHERE coalesce(l.class, coterie.job_class(j.action, j.requires)) = ANY (s.takes) AND s.expires_at > coterie.clock())
UNION ALL
SELECT 'COT-811', 'warning', l.pool, NULL,
       format('%s: %s of %s seats are held (%s %%)', l.pool, l.in_use + l.overdraft + l.excess, l.entitled, l.used_pct),
       format('coterie license seats %s', l.pool)
FROM license l
-- Where each server or named user has a seat, all of them are held when all is well.
WHERE l.enforced AND l.used_pct >= l.warn_at AND l.kind NOT IN ('servers', 'nodes', 'named')
UNION ALL
SELECT 'COT-812', 'warning', l.pool, NULL,
       format('%s: %s more at work than there are seats', l.pool, l.excess), format('coterie license seats %s', l.pool)
FROM license l WHERE l.excess > 0
UNION ALL
SELECT 'COT-813', 'warning', a.name, a.started_at,
       format('%s has no seat of %s', a.name, l.pool), format('coterie license seats %s; coterie license denials %s says why', l.pool, l.pool)
FROM license l CROSS JOIN alive a
WHERE l.kind IN ('servers', 'nodes') AND l.shared_by = 'node' AND a.state = 'ready' AND NOT coalesce(l.by_node ? a.name, false)
UNION ALL
SELECT 'COT-814', 'error', 'licence servers', max(s.since),
       format('%s of %s licence servers answer', max(s.servers_up), max(s.servers)), 'coterie license servers'
FROM coterie.license_servers s WHERE s.nodes > 0 HAVING NOT bool_or(s.quorum)
UNION ALL
SELECT 'COT-815', 'warning', e.pool, e.ends_at,
       format('%s: %s seats%s end on %s', e.pool, e.seats, CASE WHEN e.serial <> 'plain' THEN ' of ' || e.serial ELSE '' END, to_char(e.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
       'load the next licence file before then'
FROM coterie.license_entitlement e
WHERE e.ends_at > coterie.clock() AND e.ends_at < coterie.clock() + interval '30 days'
UNION ALL
SELECT 'COT-816', 'note', d.pool, min(d.first_at),
       format('%s: %s refusals within the last hour', d.pool, sum(d.times)), 'coterie license denials'
FROM coterie.license_denial d WHERE d.hour >= coterie.clock() - interval '2 hours' AND d.last_at > coterie.clock() - interval '1 hour' GROUP BY d.pool
UNION ALL
SELECT 'COT-817', 'warning', l.pool, NULL,
       format('%s: %s held, and at least %s should be', l.pool, l.in_use + l.overdraft + l.excess, r.least),
       CASE WHEN r.per_node THEN 'start more nodes, or find out why they are not ready: coterie nodes' ELSE format('coterie license seats %s', l.pool) END
FROM license l JOIN coterie.license_rules r ON r.name = l.pool
WHERE l.in_use + l.overdraft + l.excess < r.least
UNION ALL
SELECT CASE WHEN v.not_after IS NULL OR v.what = v.trouble THEN 'COT-531' ELSE 'COT-530' END, v.severity, v.place,
       coalesce(v.not_after - CASE v.severity WHEN 'error' THEN interval '1 day' WHEN 'warning' THEN interval '7 days' ELSE interval '30 days' END, v.checked_at),
       left(format('%s%s: %s%s', v.place, CASE WHEN v.alias <> '' THEN format(' (%s)', v.alias) END,
                   CASE WHEN v.not_after IS NOT NULL THEN format('the certificate of %s ', v.subject) END, v.what), 500),
       format('put a new one in its place, and look again: coterie run %s', v.job)
FROM coterie.expiries v WHERE v.severity IS NOT NULL
UNION ALL
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
COMMENT ON VIEW coterie.findings IS 'A row per open problem, derived from the facts of the moment: what is mended disappears.';
COMMENT ON COLUMN coterie.findings.code IS 'Code that coterie doctor --explain knows.';
COMMENT ON COLUMN coterie.findings.severity IS 'error (something promised is not kept), warning (somebody should look) or note.';
COMMENT ON COLUMN coterie.findings.subject IS 'Name of the node, job or thing that it concerns.';
COMMENT ON COLUMN coterie.findings.since IS 'When it began, as far as it is known.';
COMMENT ON COLUMN coterie.findings.text IS 'What was found, in words.';
COMMENT ON COLUMN coterie.findings.remedy IS 'What to do about it.';
