CREATE OR REPLACE VIEW coterie.app_steps WITH (security_barrier) AS
SELECT s.setup, s.place, s.name AS step, s.node, s.verb,
       CASE WHEN s.state <> 'open' THEN s.state WHEN w.names = '{}' THEN 'ready' ELSE 'waiting' END AS state,
       w.names AS waits_for, s.said, s.made, s.begun_by, s.begun_at, s.heard_at, s.ended_at, s.token, s.beats, a.plan
FROM coterie.app_step s
JOIN coterie.app_setup a ON a.name = s.setup,
LATERAL (SELECT coalesce(array_agg(b.name ORDER BY b.place), '{}') AS names FROM coterie.app_step b
         WHERE b.setup = s.setup AND b.name = ANY (s.after) AND b.state <> 'done') AS w;
COMMENT ON VIEW coterie.app_steps IS 'A row per step of a plan by which the servers of an application are set up.';
COMMENT ON COLUMN coterie.app_steps.setup IS 'Name of the plan.';
COMMENT ON COLUMN coterie.app_steps.place IS 'Place of the step in the file, from 1.';
COMMENT ON COLUMN coterie.app_steps.step IS 'Name of the step.';
COMMENT ON COLUMN coterie.app_steps.node IS 'Node that does it.';
COMMENT ON COLUMN coterie.app_steps.verb IS 'Command that it is, without its arguments.';
COMMENT ON COLUMN coterie.app_steps.state IS 'waiting (for steps before it), ready (to be done), doing, failed (to be done again) or done.';
COMMENT ON COLUMN coterie.app_steps.waits_for IS 'Steps that must be done before it and are not yet.';
COMMENT ON COLUMN coterie.app_steps.said IS 'Why it failed, or what was said when it was done.';
COMMENT ON COLUMN coterie.app_steps.made IS 'Digest of the bundle that it made or looked at.';
COMMENT ON COLUMN coterie.app_steps.begun_by IS 'Who began it last.';
COMMENT ON COLUMN coterie.app_steps.begun_at IS 'When it was begun last.';
COMMENT ON COLUMN coterie.app_steps.heard_at IS 'When the process that does it was last heard of.';
COMMENT ON COLUMN coterie.app_steps.ended_at IS 'When it was done, or failed.';
COMMENT ON COLUMN coterie.app_steps.token IS 'Number of the process that began it last; only that one can end it.';
COMMENT ON COLUMN coterie.app_steps.beats IS 'How often that process was heard of since.';
COMMENT ON COLUMN coterie.app_steps.plan IS 'SHA-256 over what the file says that was declared.';
