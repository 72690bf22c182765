CREATE OR REPLACE VIEW coterie.keystore_rollouts WITH (security_barrier) AS
SELECT r.id, r.name, r.version, r.phase::text AS phase, r.previous, r.canary, r.begun_at, r.begun_by, r.reason, r.moved_at, r.ended_at,
       coalesce(r.ended_at, coterie.clock()) - r.begun_at AS took, r.failed_node, r.failure, r.patience,
       r.ended_at IS NULL AND coterie.clock() > r.moved_at + r.patience AS overdue, r.turn
FROM coterie.keystore_rollout r;
COMMENT ON VIEW coterie.keystore_rollouts IS 'A row each time that a version of a keystore was brought to the nodes, or is being brought there.';
COMMENT ON COLUMN coterie.keystore_rollouts.id IS 'Number of the rollout.';
COMMENT ON COLUMN coterie.keystore_rollouts.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_rollouts.version IS 'Version that is brought.';
COMMENT ON COLUMN coterie.keystore_rollouts.phase IS 'voting, canary, rest, back; ended: done, refused, failed, cancelled.';
COMMENT ON COLUMN coterie.keystore_rollouts.previous IS 'Version that was active before; null when there was none.';
COMMENT ON COLUMN coterie.keystore_rollouts.canary IS 'Node that goes first.';
COMMENT ON COLUMN coterie.keystore_rollouts.begun_at IS 'When it was asked for.';
COMMENT ON COLUMN coterie.keystore_rollouts.begun_by IS 'Role that asked for it.';
COMMENT ON COLUMN coterie.keystore_rollouts.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.keystore_rollouts.moved_at IS 'When a phase began, or a node was done, last.';
COMMENT ON COLUMN coterie.keystore_rollouts.ended_at IS 'When it was over.';
COMMENT ON COLUMN coterie.keystore_rollouts.took IS 'How long it took, or is taking.';
COMMENT ON COLUMN coterie.keystore_rollouts.failed_node IS 'Node that refused it, or could not.';
COMMENT ON COLUMN coterie.keystore_rollouts.failure IS 'Why it was refused, failed or called back.';
COMMENT ON COLUMN coterie.keystore_rollouts.patience IS 'How long nothing may move before it goes back.';
COMMENT ON COLUMN coterie.keystore_rollouts.overdue IS 'Whether nothing moved for that long.';
COMMENT ON COLUMN coterie.keystore_rollouts.turn IS 'Rises with each vote, report and change of phase.';
