-- Moves that operators ask for, and a cluster that is told to stand still.

ALTER TABLE coterie.lease
    ADD COLUMN goal text,
    ADD COLUMN goal_now boolean NOT NULL DEFAULT false,
    ADD COLUMN prefer text;
COMMENT ON COLUMN coterie.lease.goal IS 'Node that an operator wants to hold it next; null when it stays or has moved.';
COMMENT ON COLUMN coterie.lease.goal_now IS 'Whether what its holder runs is stopped for that move.';
COMMENT ON COLUMN coterie.lease.prefer IS 'Node that balance leaves it with, because an operator moved it there.';

ALTER TABLE coterie.setting
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    ADD COLUMN paused_by text,
    ADD COLUMN paused_reason text,
    ADD COLUMN paused_at timestamptz;
COMMENT ON COLUMN coterie.setting.paused IS 'Whether hand-overs are frozen: leases then move only when their holder is lost or leaves.';
COMMENT ON COLUMN coterie.setting.paused_by IS 'Who froze them.';
COMMENT ON COLUMN coterie.setting.paused_reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.setting.paused_at IS 'When.';
