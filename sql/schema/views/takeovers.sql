CREATE OR REPLACE VIEW coterie.takeovers WITH (security_barrier) AS
SELECT e.subject AS lease,
       e.peer AS from_node,
       e.node AS to_node,
       e.reason AS cause,
       e.since AS lost_at,
       e.at AS claimed_at,
       e.at - e.since AS took,
       e.token
FROM coterie.event e
WHERE e.kind = 'lease.claimed' AND e.peer IS NOT NULL AND e.peer <> e.node;
COMMENT ON VIEW coterie.takeovers IS 'A row per hand-over of a lease from one node to another.';
COMMENT ON COLUMN coterie.takeovers.lease IS 'Name of the lease.';
COMMENT ON COLUMN coterie.takeovers.from_node IS 'Who held it before.';
COMMENT ON COLUMN coterie.takeovers.to_node IS 'Who took it.';
COMMENT ON COLUMN coterie.takeovers.cause IS 'release (given back), crash (its holder''s session was ended) or switchover (moved on purpose).';
COMMENT ON COLUMN coterie.takeovers.lost_at IS 'Last moment at which the former holder is known to have held it: its last heartbeat, or when it gave the lease back.';
COMMENT ON COLUMN coterie.takeovers.claimed_at IS 'When it was taken.';
COMMENT ON COLUMN coterie.takeovers.took IS 'Time between the two.';
COMMENT ON COLUMN coterie.takeovers.token IS 'Fencing token of the new holder.';
