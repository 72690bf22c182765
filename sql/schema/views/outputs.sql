CREATE OR REPLACE VIEW coterie.outputs WITH (security_barrier) AS
SELECT o.job, o.due_at, o.attempt, o.start, o.size, o.at, o.text
FROM coterie.output o;
COMMENT ON VIEW coterie.outputs IS 'A row per piece of what runs said, beyond the end that coterie.runs has in log_tail.';
COMMENT ON COLUMN coterie.outputs.job IS 'Job of the run.';
COMMENT ON COLUMN coterie.outputs.due_at IS 'The run''s due_at.';
COMMENT ON COLUMN coterie.outputs.attempt IS 'The attempt that said it.';
COMMENT ON COLUMN coterie.outputs.start IS 'How many bytes of the output came before; a gap to the piece before is what was left out.';
COMMENT ON COLUMN coterie.outputs.size IS 'How many bytes of the output it is.';
COMMENT ON COLUMN coterie.outputs.at IS 'When it arrived.';
COMMENT ON COLUMN coterie.outputs.text IS 'Those bytes, safe to print.';
