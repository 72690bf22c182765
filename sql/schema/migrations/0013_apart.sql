-- needs 12
-- Jobs that had better not be beside each other.

ALTER TABLE coterie.job ADD COLUMN apart text CHECK (apart ~ '^[a-z0-9][a-z0-9._-]{0,62}$');
COMMENT ON COLUMN coterie.job.apart IS 'Group of jobs that had better be with different nodes.';
