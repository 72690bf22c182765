-- after views/settings.sql
CREATE OR REPLACE VIEW coterie.changes WITH (security_barrier) AS
SELECT c.id, c.key, c.value::text AS value, s.value AS current, c.state::text AS state,
       c.proposed_at, c.proposed_by, c.login, c.reason, c.decided_at, c.decided_by, c.answer
FROM coterie.change c LEFT JOIN coterie.settings s ON s.key = c.key;
COMMENT ON VIEW coterie.changes IS 'A row per change of a setting that was proposed, and what was decided.';
COMMENT ON COLUMN coterie.changes.id IS 'Number of the change.';
COMMENT ON COLUMN coterie.changes.key IS 'Setting that it is about.';
COMMENT ON COLUMN coterie.changes.value IS 'Value that it should have.';
COMMENT ON COLUMN coterie.changes.current IS 'Value that the setting has now.';
COMMENT ON COLUMN coterie.changes.state IS 'pending, applied or rejected.';
COMMENT ON COLUMN coterie.changes.proposed_at IS 'When it was proposed.';
COMMENT ON COLUMN coterie.changes.proposed_by IS 'Who proposed it.';
COMMENT ON COLUMN coterie.changes.login IS 'Role of the database by which it was proposed.';
COMMENT ON COLUMN coterie.changes.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.changes.decided_at IS 'When it was decided.';
COMMENT ON COLUMN coterie.changes.decided_by IS 'Who decided.';
COMMENT ON COLUMN coterie.changes.answer IS 'Why so, in that person''s words.';
