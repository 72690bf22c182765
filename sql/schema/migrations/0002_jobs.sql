-- Jobs: definitions that operators apply, and one row per slot that says what became of it.

-- How a run ended, or why a slot was not run.
CREATE TYPE coterie.run_outcome AS ENUM
    ('running', 'succeeded', 'failed', 'timed_out', 'skipped', 'missed', 'lost', 'cancelled');
COMMENT ON TYPE coterie.run_outcome IS 'What became of a slot.';

-- What run_begin answers.
CREATE TYPE coterie.run_answer AS ENUM ('begun', 'running', 'accounted', 'changed', 'early', 'lost');
COMMENT ON TYPE coterie.run_answer IS 'Answer to run_begin: only begun permits to act.';

CREATE TABLE coterie.job (
    name         text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    schedule     text NOT NULL CHECK (schedule <> '' AND octet_length(schedule) <= 200),
    time_zone    text NOT NULL DEFAULT 'UTC' CHECK (time_zone <> '' AND octet_length(time_zone) <= 100),
    action       text NOT NULL CHECK (action ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    timeout      interval CHECK (timeout > '0'),
    overlap      text NOT NULL DEFAULT 'skip' CHECK (overlap IN ('skip')),
    misfire      text NOT NULL DEFAULT 'once' CHECK (misfire IN ('once', 'skip', 'all')),
    enabled      boolean NOT NULL DEFAULT true,
    every        interval CHECK (every >= '100ms'),
    since        timestamptz NOT NULL DEFAULT coterie.clock(),
    first_due_at timestamptz CHECK (first_due_at >= since),
    generation   bigint NOT NULL,
    changed_by   text NOT NULL DEFAULT session_user,
    changed_at   timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.job IS 'Definitions of jobs, written by job_apply. The commands behind actions are in each node''s own configuration.';
COMMENT ON COLUMN coterie.job.name IS 'Name of the job; its lease is job/NAME.';
COMMENT ON COLUMN coterie.job.schedule IS 'When it is due: @every DURATION (a fixed grid since 1970), five cron fields, or @hourly, @daily, @weekly, @monthly, @yearly.';
COMMENT ON COLUMN coterie.job.time_zone IS 'Time zone that the cron fields are read in.';
COMMENT ON COLUMN coterie.job.action IS 'Name of the action that a run performs; nodes that define it take the job.';
COMMENT ON COLUMN coterie.job.timeout IS 'How long a run may take before it is stopped; null: as long as it likes.';
COMMENT ON COLUMN coterie.job.overlap IS 'What happens to slots that fall due while a run is open.';
COMMENT ON COLUMN coterie.job.misfire IS 'What happens to slots that nobody could run when they were due.';
COMMENT ON COLUMN coterie.job.enabled IS 'False: the schedule rests, and slots are not owed.';
COMMENT ON COLUMN coterie.job.every IS 'Width of the grid for @every; null for a cron schedule.';
COMMENT ON COLUMN coterie.job.since IS 'Slots before it are not owed.';
COMMENT ON COLUMN coterie.job.first_due_at IS 'First slot that is owed.';
COMMENT ON COLUMN coterie.job.generation IS 'Number of the change that made this row what it is.';
COMMENT ON COLUMN coterie.job.changed_by IS 'Role that changed it last.';
COMMENT ON COLUMN coterie.job.changed_at IS 'When it was changed last.';

-- Nodes read all definitions again when this number moved. It is a row and not a sequence because
-- it must become visible in the same instant as what it counts.
CREATE TABLE coterie.job_change (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 25);
INSERT INTO coterie.job_change DEFAULT VALUES;
COMMENT ON TABLE coterie.job_change IS 'Counts changes of definitions and requests: one row.';
COMMENT ON COLUMN coterie.job_change.one IS 'Always true: there is one row.';
COMMENT ON COLUMN coterie.job_change.generation IS 'Number of the last change.';

CREATE TABLE coterie.request (
    job          text PRIMARY KEY REFERENCES coterie.job (name) ON DELETE CASCADE,
    due_at       timestamptz NOT NULL,
    requested_by text NOT NULL CHECK (requested_by <> '' AND octet_length(requested_by) <= 200 AND requested_by !~ '[[:cntrl:]]'),
    reason       text CHECK (octet_length(reason) <= 500 AND reason !~ '[[:cntrl:]]')
);
COMMENT ON TABLE coterie.request IS 'Runs that were asked for and that no node has begun yet; at most one per job waits.';
COMMENT ON COLUMN coterie.request.job IS 'Job that is to run.';
COMMENT ON COLUMN coterie.request.due_at IS 'When it was asked for; the run will have this due_at.';
COMMENT ON COLUMN coterie.request.requested_by IS 'Who asked for it.';
COMMENT ON COLUMN coterie.request.reason IS 'Why, in that person''s words.';

-- One row per slot. Wide columns stand last and are null for most runs; the row is written twice
-- (begin, end), and nothing else is indexed than what the promises need.
CREATE TABLE coterie.run (
    due_at       timestamptz NOT NULL,
    token        bigint NOT NULL CHECK (token > 0),
    nonce        bigint,
    started_at   timestamptz,
    next_due_at  timestamptz,
    finished_at  timestamptz,
    outcome      coterie.run_outcome NOT NULL,
    exit_code    integer,
    attempt      smallint NOT NULL DEFAULT 1 CHECK (attempt > 0),
    job          text NOT NULL,
    node         text,
    requested_by text,
    reason       text CHECK (octet_length(reason) BETWEEN 1 AND 1000 AND reason !~ '[[:cntrl:]]'),
    log_tail     text CHECK (octet_length(log_tail) BETWEEN 1 AND 8192 AND log_tail !~ '[\x01-\x08\x0b-\x1f\x7f]'),
    -- A slot has one row, so it is run at most once by the cluster.
    PRIMARY KEY (job, due_at),
    CONSTRAINT open_until_finished CHECK ((outcome = 'running') = (finished_at IS NULL)),
    -- What ran, ran somewhere, in one life of a node; what did not run never started.
    CONSTRAINT started_where CHECK (
        CASE WHEN outcome IN ('skipped', 'missed')
        THEN started_at IS NULL AND node IS NULL AND nonce IS NULL
        ELSE started_at IS NOT NULL AND node IS NOT NULL AND nonce IS NOT NULL END),
    CONSTRAINT time_goes_forward CHECK (due_at <= started_at AND started_at <= finished_at),
    CONSTRAINT success_exits_zero CHECK (outcome <> 'succeeded' OR exit_code IS NULL OR exit_code = 0),
    CONSTRAINT only_ended_runs_exit CHECK (exit_code IS NULL OR outcome IN ('succeeded', 'failed', 'timed_out', 'cancelled')),
    -- Nothing is silently not run.
    CONSTRAINT told_why CHECK (reason IS NOT NULL OR outcome NOT IN ('skipped', 'missed', 'lost', 'cancelled'))
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- A job has at most one open run, whoever writes it.
CREATE UNIQUE INDEX run_open ON coterie.run (job) WHERE outcome = 'running';
COMMENT ON TABLE coterie.run IS 'One row per slot, run or not. Kept when its job is removed.';
COMMENT ON COLUMN coterie.run.due_at IS 'The slot: the instant at which the job was due.';
COMMENT ON COLUMN coterie.run.token IS 'Token of the lease under which the row was made.';
COMMENT ON COLUMN coterie.run.nonce IS 'Known only to whoever began the run; lets it ask twice, and nobody else end it.';
COMMENT ON COLUMN coterie.run.started_at IS 'When the action started; null if it did not.';
COMMENT ON COLUMN coterie.run.finished_at IS 'When the run ended, or when it was recorded why there was none; null while it is open.';
COMMENT ON COLUMN coterie.run.next_due_at IS 'The slot after this one, as the runner computed it; null for @every, whose grid SQL knows.';
COMMENT ON COLUMN coterie.run.outcome IS 'What became of the slot.';
COMMENT ON COLUMN coterie.run.exit_code IS 'Exit code of the action''s process, if it had one and it exited.';
COMMENT ON COLUMN coterie.run.attempt IS 'Number of this attempt.';
COMMENT ON COLUMN coterie.run.job IS 'Name of the job.';
COMMENT ON COLUMN coterie.run.node IS 'Node that ran it.';
COMMENT ON COLUMN coterie.run.requested_by IS 'Who asked for it; null if the schedule did.';
COMMENT ON COLUMN coterie.run.reason IS 'Why it ended so, was late, or did not run.';
COMMENT ON COLUMN coterie.run.log_tail IS 'Last output of the action, made safe to print.';

CREATE SEQUENCE coterie.run_seq AS bigint;
COMMENT ON SEQUENCE coterie.run_seq IS 'Bumped whenever a run begins, ends or is accounted for: a hint to caches, possibly a moment before the row is visible.';
