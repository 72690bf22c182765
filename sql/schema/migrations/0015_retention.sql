-- How long history is kept, and how what is recent is found in much of it.

ALTER TABLE coterie.setting
    ADD COLUMN keep_runs interval NOT NULL DEFAULT '90 days',
    ADD COLUMN keep_events interval NOT NULL DEFAULT '400 days',
    ADD CONSTRAINT history_is_kept CHECK (keep_runs BETWEEN '1h' AND '36500 days' AND keep_events BETWEEN '1 day' AND '36500 days');
COMMENT ON COLUMN coterie.setting.keep_runs IS 'How long runs are kept whose job does not say.';
COMMENT ON COLUMN coterie.setting.keep_events IS 'How long the ledger is kept.';

-- Runs arrive in about the order of their slots, so ranges of pages suffice: a few kilobytes for ten million rows,
-- and next to no log per run, where a tree would cost as much again as the primary key.
CREATE INDEX run_recent ON coterie.run USING brin (due_at) WITH (pages_per_range = 16, autosummarize = on);
