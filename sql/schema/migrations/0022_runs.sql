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

-- Certificates as the built-in check saw them last.
CREATE TABLE coterie.expiry (
    job         text NOT NULL REFERENCES coterie.job (name) ON DELETE CASCADE,
    place       text NOT NULL CHECK (place <> '' AND octet_length(place) <= 4200),
    alias       text NOT NULL CHECK (octet_length(alias) <= 1100),
    node        text NOT NULL,
    subject     text CHECK (octet_length(subject) <= 500 AND subject !~ '[[:cntrl:]]'),
    issuer      text CHECK (octet_length(issuer) <= 500 AND issuer !~ '[[:cntrl:]]'),
    fingerprint text CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    not_before  timestamptz,
    not_after   timestamptz,
    trouble     text CHECK (octet_length(trouble) <= 2000),
    checked_at  timestamptz NOT NULL DEFAULT coterie.clock(),
    CONSTRAINT seen_or_told_why_not CHECK (not_after IS NOT NULL OR trouble IS NOT NULL)
);
CREATE INDEX expiry_job ON coterie.expiry (job);
COMMENT ON TABLE coterie.expiry IS 'Certificates as the action coterie.check-certificates saw them last.';
COMMENT ON COLUMN coterie.expiry.job IS 'Job that looked.';
COMMENT ON COLUMN coterie.expiry.place IS 'File, or host:port.';
COMMENT ON COLUMN coterie.expiry.alias IS 'Which one there.';
COMMENT ON COLUMN coterie.expiry.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.expiry.subject IS 'Whose it is.';
COMMENT ON COLUMN coterie.expiry.issuer IS 'Who issued it.';
COMMENT ON COLUMN coterie.expiry.fingerprint IS 'Its SHA-256.';
COMMENT ON COLUMN coterie.expiry.not_before IS 'From when on it is valid.';
COMMENT ON COLUMN coterie.expiry.not_after IS 'Until when it is valid; null when it could not be seen.';
COMMENT ON COLUMN coterie.expiry.trouble IS 'What is wrong with it, or why it could not be seen.';
COMMENT ON COLUMN coterie.expiry.checked_at IS 'When it was looked at.';
