-- Requests of queue jobs whose run failed are tried again after a pause.

ALTER TABLE coterie.request ADD COLUMN again_at timestamptz;
COMMENT ON COLUMN coterie.request.again_at IS 'When its next attempt is due; null when none has failed.';
