-- needs 31
-- What is wrong is found by a function for each area, so that nobody pays for planning what concerns parts that are not in use.

CREATE TYPE coterie.finding AS (code text, severity text, subject text, since timestamptz, text text, remedy text);
COMMENT ON TYPE coterie.finding IS 'An open problem: a row of the view findings.';
