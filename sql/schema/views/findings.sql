CREATE OR REPLACE VIEW coterie.findings WITH (security_barrier) AS
-- A function each, because a new connection would plan all of it, also what nobody uses.
SELECT f.code, f.severity, f.subject, f.since, f.text, f.remedy FROM coterie.findings_of_nodes() f
UNION ALL
SELECT f.code, f.severity, f.subject, f.since, f.text, f.remedy FROM coterie.findings_of_appdata() f
UNION ALL
SELECT f.code, f.severity, f.subject, f.since, f.text, f.remedy FROM coterie.findings_of_jobs() f
UNION ALL
SELECT f.code, f.severity, f.subject, f.since, f.text, f.remedy FROM coterie.findings_of_licenses() f
UNION ALL
SELECT f.code, f.severity, f.subject, f.since, f.text, f.remedy FROM coterie.findings_of_keystores() f;
COMMENT ON VIEW coterie.findings IS 'A row per open problem, derived from the facts of the moment: what is mended disappears.';
COMMENT ON COLUMN coterie.findings.code IS 'Code that coterie doctor --explain knows.';
COMMENT ON COLUMN coterie.findings.severity IS 'error (something promised is not kept), warning (somebody should look) or note.';
COMMENT ON COLUMN coterie.findings.subject IS 'Name of the node, job or thing that it concerns.';
COMMENT ON COLUMN coterie.findings.since IS 'When it began, as far as it is known.';
COMMENT ON COLUMN coterie.findings.text IS 'What was found, in words.';
COMMENT ON COLUMN coterie.findings.remedy IS 'What to do about it.';
