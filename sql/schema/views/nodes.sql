CREATE OR REPLACE VIEW coterie.nodes WITH (security_barrier) AS
SELECT n.name,
       n.id,
       n.address,
       n.goal,
       n.goal_by,
       n.goal_reason,
       -- A node says what it does; whether it lives, its session says.
       CASE WHEN n.state IN ('left', 'evicted') THEN n.state::text
            WHEN s.node IS NULL THEN 'dead'
            WHEN s.expires_at <= coterie.clock() THEN 'suspect'
            ELSE n.state::text END AS state,
       n.app_version,
       s.started_at,
       coalesce(s.renewed_at, (
           SELECT e.since FROM coterie.event e
           WHERE e.subject = n.name AND e.kind = 'session.ended' ORDER BY e.id DESC LIMIT 1)) AS last_seen_at,
       s.expires_at - coterie.clock() AS expires_in,
       (SELECT count(*) FROM coterie.lease l WHERE l.node = s.node AND l.incarnation = s.incarnation) AS leases_held,
       (SELECT count(*) FROM coterie.run r WHERE r.outcome = 'running' AND r.node = s.node) AS jobs_running,
       CASE WHEN s.node IS NOT NULL THEN g.state::text END AS storage_state,
       s.rtt_ms AS db_rtt_ms,
       n.message,
       n.version,
       n.host,
       n.tags,
       n.candidate,
       n.actions,
       s.incarnation,
       n.state_at,
       n.goal_at,
       n.joined_at,
       n.weight,
       coterie.storage_owns(n.name) AS owns_pct,
       CASE WHEN s.node IS NOT NULL THEN k.served_fingerprint END AS keystore_fingerprint
FROM coterie.node n
LEFT JOIN coterie.session s ON s.node = n.name
LEFT JOIN coterie.storage g ON g.node = n.name
LEFT JOIN coterie.keystore_node k ON k.node = n.name AND k.name = 'server';
COMMENT ON VIEW coterie.nodes IS 'A row per node that ever joined: what is wanted of it, what it does, whether it lives.';
COMMENT ON COLUMN coterie.nodes.name IS 'Name of the node.';
COMMENT ON COLUMN coterie.nodes.id IS 'Fingerprint of the key made when the node joined.';
COMMENT ON COLUMN coterie.nodes.address IS 'Address under which other nodes and people reach it.';
COMMENT ON COLUMN coterie.nodes.goal IS 'What operators want of it: ready or drained.';
COMMENT ON COLUMN coterie.nodes.goal_by IS 'Who set the goal.';
COMMENT ON COLUMN coterie.nodes.goal_reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.nodes.state IS 'What it last reported; dead when it has no session though it did not leave, suspect when its session is overdue.';
COMMENT ON COLUMN coterie.nodes.app_version IS 'Version of the application beside it.';
COMMENT ON COLUMN coterie.nodes.started_at IS 'When its session began; null when it has none.';
COMMENT ON COLUMN coterie.nodes.last_seen_at IS 'Its last heartbeat, also of a session that has ended; null if it never had one.';
COMMENT ON COLUMN coterie.nodes.expires_in IS 'Time until its session may be ended; negative when overdue.';
COMMENT ON COLUMN coterie.nodes.leases_held IS 'Number of leases that it holds.';
COMMENT ON COLUMN coterie.nodes.jobs_running IS 'Number of runs that are open on it.';
COMMENT ON COLUMN coterie.nodes.storage_state IS 'What it sees of the share, in one word as in coterie.storages; null when it has no session or has not looked yet.';
COMMENT ON COLUMN coterie.nodes.db_rtt_ms IS 'How long its heartbeats take, in milliseconds: the shortest of the last four, 0 until there are as many.';
COMMENT ON COLUMN coterie.nodes.message IS 'What it wants people to know.';
COMMENT ON COLUMN coterie.nodes.version IS 'Version of coterie that it runs.';
COMMENT ON COLUMN coterie.nodes.host IS 'Host name that it runs on.';
COMMENT ON COLUMN coterie.nodes.tags IS 'Labels from its configuration.';
COMMENT ON COLUMN coterie.nodes.candidate IS 'False for a front end, which never holds leases.';
COMMENT ON COLUMN coterie.nodes.actions IS 'Names of the actions that its configuration defines.';
COMMENT ON COLUMN coterie.nodes.incarnation IS 'Number of its present life; null when it has none.';
COMMENT ON COLUMN coterie.nodes.state_at IS 'When it first reported the state that it last reported.';
COMMENT ON COLUMN coterie.nodes.goal_at IS 'When the goal was set.';
COMMENT ON COLUMN coterie.nodes.joined_at IS 'When it joined for the first time.';
COMMENT ON COLUMN coterie.nodes.weight IS 'Its share of the leases, beside the weights of the other nodes.';
COMMENT ON COLUMN coterie.nodes.owns_pct IS 'Of the nodes that live and can use the share, itself included: with how many in a hundred it has seen each other there; null when it does not live.';
COMMENT ON COLUMN coterie.nodes.keystore_fingerprint IS 'SHA-256 of the certificate that its server showed last, of the keystore server; null when it has no session, or showed none.';
