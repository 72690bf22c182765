-- What runs say of themselves while they go on, and from where others can go on.

CREATE TABLE coterie.progress (
    due_at     timestamptz NOT NULL,
    token      bigint NOT NULL,
    at         timestamptz NOT NULL DEFAULT coterie.clock(),
    percent    smallint CHECK (percent BETWEEN 0 AND 100),
    job        text NOT NULL,
    message    text CHECK (octet_length(message) <= 1000 AND message !~ '[[:cntrl:]]'),
    checkpoint text CHECK (octet_length(checkpoint) <= 16384),
    PRIMARY KEY (job, due_at)
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.progress IS 'What open runs said last of themselves, and the checkpoints of those that did not succeed. Deleted when a run of the job succeeds.';
COMMENT ON COLUMN coterie.progress.due_at IS 'The run''s due_at.';
COMMENT ON COLUMN coterie.progress.token IS 'Token under which it was said.';
COMMENT ON COLUMN coterie.progress.at IS 'When it was said.';
COMMENT ON COLUMN coterie.progress.percent IS 'How much of it is done.';
COMMENT ON COLUMN coterie.progress.job IS 'The run''s job.';
COMMENT ON COLUMN coterie.progress.message IS 'What it does.';
COMMENT ON COLUMN coterie.progress.checkpoint IS 'From where another run can go on, in the program''s own words.';

DROP FUNCTION IF EXISTS coterie.run_resume(text, bigint);
