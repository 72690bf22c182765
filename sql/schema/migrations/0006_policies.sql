-- needs 6
-- When jobs are due and not, what becomes of runs that fail or are lost, which of them may run at once, and pauses.

ALTER TYPE coterie.run_answer ADD VALUE 'full';

ALTER TABLE coterie.job
    DROP CONSTRAINT job_overlap_check,
    ADD CONSTRAINT overlap_is_known CHECK (overlap IN ('skip', 'queue', 'cancel')),
    ADD COLUMN gap           text NOT NULL DEFAULT 'auto' CHECK (gap IN ('auto', 'shift', 'skip')),
    ADD COLUMN fold          text NOT NULL DEFAULT 'auto' CHECK (fold IN ('auto', 'first', 'last', 'both')),
    ADD COLUMN starts_at     timestamptz,
    ADD COLUMN ends_at       timestamptz,
    ADD COLUMN jitter        interval CHECK (jitter > '0' AND jitter <= '24h'),
    ADD COLUMN exceptions    text[] NOT NULL DEFAULT '{}',
    ADD COLUMN stop_grace    interval CHECK (stop_grace > '0' AND stop_grace <= '1h'),
    ADD COLUMN misfire_limit smallint CHECK (misfire_limit BETWEEN 1 AND 1000),
    ADD COLUMN catch_up      interval CHECK (catch_up > '0'),
    ADD COLUMN retries       smallint NOT NULL DEFAULT 0 CHECK (retries BETWEEN 0 AND 100),
    ADD COLUMN retry_after   interval CHECK (retry_after > '0'),
    ADD COLUMN retry_max     interval CHECK (retry_max > '0'),
    ADD COLUMN on_lost       text NOT NULL DEFAULT 'record' CHECK (on_lost IN ('record', 'restart', 'resume')),
    ADD COLUMN priority      smallint NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    ADD COLUMN group_name    text CHECK (group_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    ADD COLUMN requires      text[] NOT NULL DEFAULT '{}',
    ADD COLUMN prefers       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN paused_at     timestamptz,
    ADD COLUMN unpaused_at   timestamptz,
    ADD COLUMN paused_by     text CHECK (paused_by <> '' AND octet_length(paused_by) <= 200 AND paused_by !~ '[[:cntrl:]]'),
    ADD COLUMN paused_reason text CHECK (octet_length(paused_reason) <= 500 AND paused_reason !~ '[[:cntrl:]]'),
    ADD CONSTRAINT ends_after_it_starts CHECK (ends_at > starts_at),
    ADD CONSTRAINT lists_are_short CHECK (cardinality(exceptions) <= 200 AND cardinality(requires) <= 20 AND cardinality(prefers) <= 20
        AND octet_length(array_to_string(exceptions || requires || prefers, '')) <= 10000),
    ADD CONSTRAINT tags_are_words CHECK (array_to_string(requires || prefers, '') !~ '[+[:cntrl:][:space:]]');
COMMENT ON COLUMN coterie.job.gap IS 'What becomes of what is named in an hour that summer time skips: shift to the first instant after it, skip, or auto: shift, but for a schedule of every hour skip.';
COMMENT ON COLUMN coterie.job.fold IS 'In which of two equal hours it runs: first, last, both, or auto: first, but for a schedule of every hour both.';
COMMENT ON COLUMN coterie.job.starts_at IS 'It is due from then on; null: at any time.';
COMMENT ON COLUMN coterie.job.ends_at IS 'It is due before then; null: for ever.';
COMMENT ON COLUMN coterie.job.jitter IS 'Each slot is later than its schedule says by a time below this one, which follows from the name of the job; null: by none.';
COMMENT ON COLUMN coterie.job.exceptions IS 'Days and hours at which it is not due, whatever its schedule says.';
COMMENT ON COLUMN coterie.job.stop_grace IS 'How long a run that must end has between TERM and KILL; null: as its node sees fit.';
COMMENT ON COLUMN coterie.job.misfire_limit IS 'How many slots misfire all makes up for; null: 100.';
COMMENT ON COLUMN coterie.job.catch_up IS 'How old a slot may be and still be made up for; null: of any age.';
COMMENT ON COLUMN coterie.job.retries IS 'How often a run that failed or timed out is tried again.';
COMMENT ON COLUMN coterie.job.retry_after IS 'How long after the first failure; later pauses double. Null: 10 seconds.';
COMMENT ON COLUMN coterie.job.retry_max IS 'Longest of these pauses; null: an hour.';
COMMENT ON COLUMN coterie.job.on_lost IS 'What becomes of a run whose node was lost: record it, restart it on the next node, or resume it there; resume also moves it when its node drains.';
COMMENT ON COLUMN coterie.job.priority IS 'Who comes first when not all can run; higher is earlier.';
COMMENT ON COLUMN coterie.job.group_name IS 'Group of jobs of which only so many may run at once.';
COMMENT ON COLUMN coterie.job.requires IS 'Tags that a node must have to take it.';
COMMENT ON COLUMN coterie.job.prefers IS 'Tags of nodes that it had better be with.';
COMMENT ON COLUMN coterie.job.paused_at IS 'When it was last paused; null: never.';
COMMENT ON COLUMN coterie.job.unpaused_at IS 'When that pause ended; null while it lasts.';
COMMENT ON COLUMN coterie.job.paused_by IS 'Who paused it.';
COMMENT ON COLUMN coterie.job.paused_reason IS 'Why, in that person''s words.';

ALTER TABLE coterie.job_change
    ADD COLUMN paused_at     timestamptz,
    ADD COLUMN unpaused_at   timestamptz,
    ADD COLUMN paused_by     text CHECK (paused_by <> '' AND octet_length(paused_by) <= 200 AND paused_by !~ '[[:cntrl:]]'),
    ADD COLUMN paused_reason text CHECK (octet_length(paused_reason) <= 500 AND paused_reason !~ '[[:cntrl:]]');
COMMENT ON TABLE coterie.job_change IS 'What holds for all jobs: counts changes of definitions and requests, and their common pause. One row.';
COMMENT ON COLUMN coterie.job_change.paused_at IS 'When all jobs were last paused; null: never.';
COMMENT ON COLUMN coterie.job_change.unpaused_at IS 'When that pause ended; null while it lasts.';
COMMENT ON COLUMN coterie.job_change.paused_by IS 'Who paused them.';
COMMENT ON COLUMN coterie.job_change.paused_reason IS 'Why, in that person''s words.';

-- Its row is locked while a run of the group begins, so that two nodes do not count at the same time.
CREATE TABLE coterie.job_group (
    name         text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    runs_at_once integer NOT NULL CHECK (runs_at_once >= 1)
);
COMMENT ON TABLE coterie.job_group IS 'Groups of jobs of which only so many may run at once in the cluster.';
COMMENT ON COLUMN coterie.job_group.name IS 'Name of the group.';
COMMENT ON COLUMN coterie.job_group.runs_at_once IS 'How many runs of it may be open.';
CREATE INDEX job_of_group ON coterie.job (group_name) WHERE group_name IS NOT NULL;

-- They answer more now, under another name or with other columns.
DROP FUNCTION IF EXISTS coterie.job_definitions();
DROP FUNCTION IF EXISTS coterie.run_resume(text, bigint);
