CREATE OR REPLACE VIEW coterie.notices WITH (security_barrier) AS
SELECT n.id, n.at, n.job, n.due_at, n.attempt, n.kind, n.node, n.times, n.text, n.sender, n.sent_at, n.told, n.tries, n.error
FROM coterie.notice n;
COMMENT ON VIEW coterie.notices IS 'A row per thing that hooks tell of jobs.';
COMMENT ON COLUMN coterie.notices.id IS 'Number of the notice.';
COMMENT ON COLUMN coterie.notices.at IS 'When it happened.';
COMMENT ON COLUMN coterie.notices.job IS 'Job that it is about.';
COMMENT ON COLUMN coterie.notices.due_at IS 'Slot that it is about.';
COMMENT ON COLUMN coterie.notices.attempt IS 'Attempt of the run.';
COMMENT ON COLUMN coterie.notices.kind IS 'failed, missed, lost, recovered or long_running.';
COMMENT ON COLUMN coterie.notices.node IS 'Node that ran it.';
COMMENT ON COLUMN coterie.notices.times IS 'How many times since the trouble began.';
COMMENT ON COLUMN coterie.notices.text IS 'What happened, in words.';
COMMENT ON COLUMN coterie.notices.sender IS 'Node that is telling it.';
COMMENT ON COLUMN coterie.notices.sent_at IS 'When it was told, or given up; null while it waits.';
COMMENT ON COLUMN coterie.notices.told IS 'Hooks that were told.';
COMMENT ON COLUMN coterie.notices.tries IS 'How often telling did not work.';
COMMENT ON COLUMN coterie.notices.error IS 'Why telling did not work the last time.';
