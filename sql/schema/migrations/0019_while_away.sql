-- What becomes of a run whose node cannot reach the database any more.

ALTER TABLE coterie.job
    ADD COLUMN while_away text NOT NULL DEFAULT 'stop' CONSTRAINT while_away_is_known CHECK (while_away IN ('stop', 'finish_fenced'));
COMMENT ON COLUMN coterie.job.while_away IS 'What becomes of a run whose node loses its lease because it cannot reach the database: stop it, or let it finish beside its successor, for jobs whose every effect is refused under an old token.';
