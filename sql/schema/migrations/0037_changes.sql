-- needs 36
-- Changes of settings that somebody proposed who may not make them.

CREATE TYPE coterie.change_state AS ENUM ('pending', 'applied', 'rejected');
COMMENT ON TYPE coterie.change_state IS 'What became of a change of a setting that was proposed.';

CREATE TABLE coterie.change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text NOT NULL CHECK (length(key) <= 80),
    value       interval NOT NULL,
    state       coterie.change_state NOT NULL DEFAULT 'pending',
    proposed_at timestamptz NOT NULL DEFAULT coterie.clock(),
    proposed_by text NOT NULL CHECK (length(proposed_by) <= 200),
    login       text NOT NULL DEFAULT session_user,
    reason      text CHECK (length(reason) <= 2000),
    decided_at  timestamptz,
    decided_by  text CHECK (length(decided_by) <= 200),
    answer      text CHECK (length(answer) <= 2000),
    CONSTRAINT decided_or_pending CHECK ((state = 'pending') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL))
);
-- The same change waits once, whoever proposes it.
CREATE UNIQUE INDEX change_waits_once ON coterie.change (key, value) WHERE state = 'pending';
COMMENT ON TABLE coterie.change IS 'A row per change of a setting that was proposed, and what was decided.';
COMMENT ON COLUMN coterie.change.id IS 'Number of the change.';
COMMENT ON COLUMN coterie.change.key IS 'Setting that it is about.';
COMMENT ON COLUMN coterie.change.value IS 'Value that it should have.';
COMMENT ON COLUMN coterie.change.state IS 'pending, applied or rejected.';
COMMENT ON COLUMN coterie.change.proposed_at IS 'When it was proposed.';
COMMENT ON COLUMN coterie.change.proposed_by IS 'Who proposed it.';
COMMENT ON COLUMN coterie.change.login IS 'Role of the database by which it was proposed.';
COMMENT ON COLUMN coterie.change.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.change.decided_at IS 'When it was decided.';
COMMENT ON COLUMN coterie.change.decided_by IS 'Who decided.';
COMMENT ON COLUMN coterie.change.answer IS 'Why so, in that person''s words.';
