-- needs 16
-- What is written to the log for each run.

-- A number of no request took eight bytes beside each job.
DROP INDEX coterie.run_open;
-- A job has at most one open run, whoever writes it; a queue job, one of each request.
CREATE UNIQUE INDEX run_open ON coterie.run (job, (coalesce(request::text, ''))) WHERE outcome = 'running';

-- Runs that begin together are ended together, and each end is a second version of its row. One that finds room in
-- the page of the first costs half of one that goes elsewhere. The room is used again, so the table hardly grows.
ALTER TABLE coterie.run SET (fillfactor = 70);

-- Heartbeats tell what it told.
DROP FUNCTION IF EXISTS coterie.run_head();

-- Of those who wait for room in a group the highest priority comes first, on whichever nodes they are.
CREATE TABLE coterie.group_wait (
    job      text PRIMARY KEY REFERENCES coterie.job (name) ON DELETE CASCADE,
    asked_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.group_wait IS 'Jobs whose run found no room in their group. They ask each second; who has not asked for three counts no more.';
COMMENT ON COLUMN coterie.group_wait.job IS 'The job.';
COMMENT ON COLUMN coterie.group_wait.asked_at IS 'When it asked last.';
