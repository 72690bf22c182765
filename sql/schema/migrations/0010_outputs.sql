-- What runs say, in pieces. The share could hang, and only this node's user could read it there; here whoever may
-- see the run sees what it said, from every node and by psql, and it goes with the run when that is pruned.

CREATE TABLE coterie.output (
    due_at  timestamptz NOT NULL,
    start   bigint NOT NULL CHECK (start >= 0),
    at      timestamptz NOT NULL DEFAULT coterie.clock(),
    size    integer NOT NULL CHECK (size BETWEEN 1 AND 32768),
    attempt smallint NOT NULL CHECK (attempt > 0),
    job     text NOT NULL,
    -- A byte that is no text takes three as the sign for that.
    text    text NOT NULL CHECK (octet_length(text) <= 98304 AND text !~ '[\x01-\x08\x0b-\x1f\x7f]'),
    PRIMARY KEY (job, due_at, attempt, start)
);
-- Pieces are never changed, and text compresses well.
ALTER TABLE coterie.output ALTER COLUMN text SET STORAGE MAIN;
COMMENT ON TABLE coterie.output IS 'Output of runs that said more than the tail in coterie.run holds, or that took long enough to be watched.';
COMMENT ON COLUMN coterie.output.due_at IS 'The run''s due_at.';
COMMENT ON COLUMN coterie.output.start IS 'How many bytes of the output came before this piece.';
COMMENT ON COLUMN coterie.output.at IS 'When the piece arrived.';
COMMENT ON COLUMN coterie.output.size IS 'How many bytes of the output it is.';
COMMENT ON COLUMN coterie.output.attempt IS 'The attempt that said it.';
COMMENT ON COLUMN coterie.output.job IS 'The run''s job.';
COMMENT ON COLUMN coterie.output.text IS 'Those bytes, made safe to print.';
