CREATE OR REPLACE VIEW coterie.transitions WITH (security_barrier) AS
SELECT t.machine, t.from_state, t.to_state, t.rule
FROM coterie.transition t;
COMMENT ON VIEW coterie.transitions IS 'A row per allowed edge of a state machine.';
COMMENT ON COLUMN coterie.transitions.machine IS 'What changes state.';
COMMENT ON COLUMN coterie.transitions.from_state IS 'State before.';
COMMENT ON COLUMN coterie.transitions.to_state IS 'State after.';
COMMENT ON COLUMN coterie.transitions.rule IS 'When that happens.';
