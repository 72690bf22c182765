-- What somebody should be told of runs. The row is made in the statement that makes the run so, and its key lets it
-- be there once, whoever tells it.

CREATE TABLE coterie.notice (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT coterie.clock(),
    due_at      timestamptz NOT NULL,
    sent_at     timestamptz,
    retry_at    timestamptz,
    incarnation bigint,
    times       integer NOT NULL DEFAULT 1,
    tries       smallint NOT NULL DEFAULT 0,
    attempt     smallint NOT NULL DEFAULT 1,
    job         text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('failed', 'missed', 'lost', 'recovered', 'long_running')),
    node        text,
    sender      text,
    text        text NOT NULL CHECK (octet_length(text) <= 1000 AND text !~ '[[:cntrl:]]'),
    told        text[] NOT NULL DEFAULT '{}',
    error       text CHECK (octet_length(error) <= 1000 AND error !~ '[[:cntrl:]]'),
    UNIQUE (job, due_at, attempt, kind),
    CONSTRAINT sent_by_a_life CHECK ((sender IS NULL) = (incarnation IS NULL))
);
CREATE INDEX notice_open ON coterie.notice (id) WHERE sent_at IS NULL;
COMMENT ON TABLE coterie.notice IS 'What hooks tell: a row per thing that somebody should know of a job.';
COMMENT ON COLUMN coterie.notice.id IS 'Number of the notice.';
COMMENT ON COLUMN coterie.notice.at IS 'When it happened.';
COMMENT ON COLUMN coterie.notice.due_at IS 'Slot that it is about.';
COMMENT ON COLUMN coterie.notice.sent_at IS 'When all hooks had been told, or it was given up; null while it waits.';
COMMENT ON COLUMN coterie.notice.retry_at IS 'When telling is tried again; null before the first try.';
COMMENT ON COLUMN coterie.notice.incarnation IS 'Life of the sender.';
COMMENT ON COLUMN coterie.notice.times IS 'How many times since the trouble began.';
COMMENT ON COLUMN coterie.notice.tries IS 'How often telling did not work.';
COMMENT ON COLUMN coterie.notice.attempt IS 'Attempt of the run.';
COMMENT ON COLUMN coterie.notice.job IS 'Job that it is about.';
COMMENT ON COLUMN coterie.notice.kind IS 'failed, missed, lost, recovered or long_running.';
COMMENT ON COLUMN coterie.notice.node IS 'Node that ran it; null if none did.';
COMMENT ON COLUMN coterie.notice.sender IS 'Node that tells it; null while none does.';
COMMENT ON COLUMN coterie.notice.text IS 'What happened, in words.';
COMMENT ON COLUMN coterie.notice.told IS 'Hooks of the sender that were told.';
COMMENT ON COLUMN coterie.notice.error IS 'Why telling did not work the last time.';

CREATE TABLE coterie.trouble (
    job     text PRIMARY KEY,
    since   timestamptz NOT NULL DEFAULT coterie.clock(),
    told_at timestamptz,
    times   integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.trouble IS 'Jobs whose runs have not succeeded of late. Deleted with the next success.';
COMMENT ON COLUMN coterie.trouble.job IS 'Name of the job.';
COMMENT ON COLUMN coterie.trouble.since IS 'When it began.';
COMMENT ON COLUMN coterie.trouble.told_at IS 'When somebody was last to be told.';
COMMENT ON COLUMN coterie.trouble.times IS 'How many slots of it were in trouble since.';
