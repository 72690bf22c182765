CREATE OR REPLACE VIEW coterie.leases WITH (security_barrier) AS
SELECT l.name,
       s.node AS holder,
       l.token,
       l.acquired_at,
       s.expires_at,
       s.expires_at - coterie.clock() AS expires_in,
       coalesce(s.expires_at > coterie.clock(), false) AS valid,
       ARRAY(SELECT w.node FROM coterie.session w
             WHERE l.class = ANY (w.takes) AND w.node IS DISTINCT FROM s.node ORDER BY w.node) AS wanted_by,
       l.class,
       l.from_node,
       l.freed_at,
       l.freed_by,
       l.goal,
       l.prefer,
       l.likes,
       l.apart
FROM coterie.lease l
LEFT JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation;
COMMENT ON VIEW coterie.leases IS 'A row per lease: who holds it.';
COMMENT ON COLUMN coterie.leases.name IS 'Name of the lease; ours start with a word and a slash.';
COMMENT ON COLUMN coterie.leases.holder IS 'Node that holds it; null when it is free.';
COMMENT ON COLUMN coterie.leases.token IS 'Fencing token of the holder, or of the last one.';
COMMENT ON COLUMN coterie.leases.acquired_at IS 'When the holder took it.';
COMMENT ON COLUMN coterie.leases.expires_at IS 'When the holder''s session may be ended, unless it is renewed.';
COMMENT ON COLUMN coterie.leases.expires_in IS 'Time until then; negative when overdue.';
COMMENT ON COLUMN coterie.leases.valid IS 'Whether it is held and its holder''s session has not expired.';
COMMENT ON COLUMN coterie.leases.wanted_by IS 'Other living nodes that would take it.';
COMMENT ON COLUMN coterie.leases.class IS 'What a node must be able to do to take it; null: only who asks for it by name.';
COMMENT ON COLUMN coterie.leases.from_node IS 'Who held it before.';
COMMENT ON COLUMN coterie.leases.freed_at IS 'Last moment at which the former holder is known to have held it.';
COMMENT ON COLUMN coterie.leases.freed_by IS 'How the former holder lost it: release, crash or switchover.';
COMMENT ON COLUMN coterie.leases.goal IS 'Node that an operator wants to hold it next.';
COMMENT ON COLUMN coterie.leases.prefer IS 'Node that balance leaves it with.';
COMMENT ON COLUMN coterie.leases.likes IS 'Tags of nodes that it would rather be with.';
COMMENT ON COLUMN coterie.leases.apart IS 'Group whose leases are kept on different nodes.';
