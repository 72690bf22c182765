CREATE OR REPLACE VIEW coterie.approvals WITH (security_barrier) AS
SELECT a.node, a.id, a.host, a.state::text AS state, a.how, a.asked_at, a.decided_at, a.decided_by, a.reason
FROM coterie.approval a;
COMMENT ON VIEW coterie.approvals IS 'A row per installation that asked to join, and what was decided about it.';
COMMENT ON COLUMN coterie.approvals.node IS 'Name that it wants.';
COMMENT ON COLUMN coterie.approvals.id IS 'Fingerprint of its identity, which coterie join shows there.';
COMMENT ON COLUMN coterie.approvals.host IS 'Host that it asked from, in its own words.';
COMMENT ON COLUMN coterie.approvals.state IS 'pending, approved or withdrawn.';
COMMENT ON COLUMN coterie.approvals.how IS 'By whom: operator, token, or before: it was there when approval began to be asked for.';
COMMENT ON COLUMN coterie.approvals.asked_at IS 'When it asked first.';
COMMENT ON COLUMN coterie.approvals.decided_at IS 'When it was decided.';
COMMENT ON COLUMN coterie.approvals.decided_by IS 'Who decided; of a token: who made it.';
COMMENT ON COLUMN coterie.approvals.reason IS 'Why, in that person''s words.';
