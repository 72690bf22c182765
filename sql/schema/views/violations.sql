CREATE OR REPLACE VIEW coterie.violations WITH (security_barrier) AS
-- Two claims of one lease whose tokens do not rise in the order of the ledger.
SELECT 'token did not rise' AS invariant, e.subject, e.at, e.node,
       format('token %s follows token %s', e.token, e.before) AS text
FROM (SELECT id, subject, at, node, token, lag(token) OVER (PARTITION BY subject ORDER BY id) AS before
      FROM coterie.event WHERE kind = 'lease.claimed') AS e
WHERE e.token <= e.before
UNION ALL
-- A lease that says a token which the ledger never gave.
SELECT 'token outside the ledger', l.name, l.acquired_at, l.node, format('token %s was never claimed', l.token)
FROM coterie.lease l
WHERE l.token > 0 AND NOT EXISTS (
    SELECT FROM coterie.event e WHERE e.subject = l.name AND e.kind = 'lease.claimed' AND e.token = l.token)
UNION ALL
-- A run that started while another one of its job had not ended.
SELECT 'two runs at once', 'job/' || r.job, r.started_at, r.node,
       format('the run of %s started before the one of %s ended at %s', r.due_at, r.other, r.until)
FROM (SELECT job, due_at, node, started_at, lag(due_at) OVER w AS other, lag(coalesce(finished_at, 'infinity')) OVER w AS until
      FROM coterie.run WHERE started_at IS NOT NULL AND request IS NULL
      WINDOW w AS (PARTITION BY job ORDER BY started_at, due_at)) AS r
WHERE r.started_at < r.until
UNION ALL
-- A run that began under an older token than one before it.
SELECT 'run under an old token', 'job/' || r.job, r.started_at, r.node, format('token %s follows token %s', r.token, r.before)
FROM (SELECT job, node, started_at, token, lag(token) OVER (PARTITION BY job ORDER BY started_at, due_at) AS before
      FROM coterie.run WHERE started_at IS NOT NULL AND request IS NULL) AS r
WHERE r.token < r.before
UNION ALL
-- A run by a node that never had that token of its job's or its request's lease.
SELECT 'run without the lease', 'job/' || r.job, r.started_at, r.node, format('token %s was not given to %s', r.token, r.node)
FROM coterie.run r
WHERE r.started_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM coterie.event e
    WHERE e.subject = coalesce('request/' || r.request, 'job/' || r.job) AND e.kind = 'lease.claimed' AND e.token = r.token AND e.node = r.node)
UNION ALL
-- The number of held seats is what was counted, seat by seat, and what the ledger of seats adds up to.
SELECT 'licence seats miscounted', p.name, coterie.clock(), NULL,
       format('%s and %s are counted, %s and %s seats are held, the ledger says %s', p.in_use, p.over, r.seats, r.over, r.told)
FROM coterie.license_pool p
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE s.number > 0) AS seats, count(*) FILTER (WHERE s.number < 0) AS over,
                           (SELECT coalesce(sum(e.seats + e.over), 0) FROM coterie.license_event e WHERE e.pool = p.name) AS told
                    FROM coterie.license_seat s WHERE s.pool = p.name AND s.key IS NOT NULL) AS r
WHERE p.in_use <> r.seats OR p.over <> r.over OR p.in_use + p.over <> r.told
UNION ALL
-- A use without a seat: its session lives, and nothing is held for it.
SELECT 'licence use without a seat', u.pool, u.since, u.node, format('%s holds nothing', u.holder)
FROM coterie.license_use u
JOIN coterie.session n ON n.node = u.node AND n.incarnation = u.incarnation
WHERE NOT EXISTS (SELECT FROM coterie.license_seat s WHERE s.pool = u.pool AND s.key = u.key);
COMMENT ON VIEW coterie.violations IS 'Invariants that do not hold. This view must stay empty.';
COMMENT ON COLUMN coterie.violations.invariant IS 'What should hold and does not.';
COMMENT ON COLUMN coterie.violations.subject IS 'Lease or job that it concerns.';
COMMENT ON COLUMN coterie.violations.at IS 'When it happened.';
COMMENT ON COLUMN coterie.violations.node IS 'Node that did it.';
COMMENT ON COLUMN coterie.violations.text IS 'The facts.';
