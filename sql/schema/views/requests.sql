CREATE OR REPLACE VIEW coterie.requests WITH (security_barrier) AS
SELECT q.id, q.job, q.due_at, q.requested_by, q.reason, q.params,
       CASE WHEN s.node IS NULL THEN 'waiting' WHEN r.outcome = 'running' THEN 'running' ELSE 'taken' END AS state,
       s.node,
       CASE WHEN s.node IS NOT NULL THEN format('%s has it', s.node)
            WHEN NOT j.enabled THEN format('job %s is switched off', q.job)
            WHEN coterie.job_paused(q.job) THEN 'it is paused'
            WHEN q.again_at > coterie.clock() THEN format('attempt %s is due at %s', r.attempt + 1, to_char(q.again_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
            WHEN NOT EXISTS (SELECT FROM coterie.session t WHERE coterie.job_class(j.action, j.requires) = ANY (t.takes) AND t.expires_at > coterie.clock())
            THEN format('no ready node has the action %s%s', j.action,
                        CASE WHEN j.requires <> '{}' THEN ' and the tags ' || array_to_string(j.requires, ', ') ELSE '' END)
            WHEN NOT j.queue THEN format('it is run by the node that holds job/%s, when no run of it is open', q.job)
            ELSE format('%s before it; it is taken when a node has room', (
                SELECT count(*) FROM coterie.request o JOIN coterie.job k ON k.name = o.job AND k.queue WHERE o.id < q.id AND o.node IS NULL))
       END AS message
FROM coterie.request q
JOIN coterie.job j ON j.name = q.job
LEFT JOIN coterie.session s ON s.node = q.node AND s.incarnation = q.incarnation AND s.expires_at > coterie.clock()
LEFT JOIN coterie.run r ON r.job = q.job AND r.due_at = q.due_at;
COMMENT ON VIEW coterie.requests IS 'A row per run that was asked for and is not done: in which order, and what it waits for.';
COMMENT ON COLUMN coterie.requests.id IS 'Its place in the queue.';
COMMENT ON COLUMN coterie.requests.job IS 'Job that is to run.';
COMMENT ON COLUMN coterie.requests.due_at IS 'When it was asked for; the run has this due_at.';
COMMENT ON COLUMN coterie.requests.requested_by IS 'Who asked for it.';
COMMENT ON COLUMN coterie.requests.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.requests.params IS 'What it hands to the action, over what the job says.';
COMMENT ON COLUMN coterie.requests.state IS 'waiting, taken (a node is about to begin it), running.';
COMMENT ON COLUMN coterie.requests.node IS 'Node that has taken it from the queue.';
COMMENT ON COLUMN coterie.requests.message IS 'What it waits for.';
