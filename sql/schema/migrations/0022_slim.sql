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
