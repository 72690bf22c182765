-- Requests wait in a queue, each with what it asks for; those of queue jobs are for any node that has room.

ALTER TABLE coterie.request
    DROP CONSTRAINT request_pkey,
    ADD PRIMARY KEY (job, due_at),
    ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN params jsonb NOT NULL DEFAULT '{}' CONSTRAINT params_bounded CHECK (coterie.params_are_bounded(params)),
    ADD COLUMN node text,
    ADD COLUMN incarnation bigint,
    ADD CONSTRAINT taken_by_a_life CHECK ((node IS NULL) = (incarnation IS NULL));
COMMENT ON TABLE coterie.request IS 'Runs that were asked for and have not begun; those of queue jobs, until they have ended.';
COMMENT ON COLUMN coterie.request.id IS 'Its place in the queue; the lease of a queue job''s run is request/ID.';
COMMENT ON COLUMN coterie.request.params IS 'What the run hands to the action, over what the job says.';
COMMENT ON COLUMN coterie.request.node IS 'Node that has taken it from the queue; null while none has.';
COMMENT ON COLUMN coterie.request.incarnation IS 'Life of that node. It is free again when that life has ended.';

ALTER TABLE coterie.run
    ADD COLUMN request bigint,
    ADD COLUMN params jsonb;
COMMENT ON COLUMN coterie.run.request IS 'Number of the request that a queue job''s run came from; null for all others.';
COMMENT ON COLUMN coterie.run.params IS 'What the request asked for; null for none.';

-- A job has at most one open run, whoever writes it; a queue job, one of each request.
DROP INDEX coterie.run_open;
CREATE UNIQUE INDEX run_open ON coterie.run (job, (coalesce(request, 0))) WHERE outcome = 'running';

DROP FUNCTION IF EXISTS coterie.run_request(text, text, text);
DROP FUNCTION IF EXISTS coterie.job_list();
