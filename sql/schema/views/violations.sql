CREATE OR REPLACE VIEW coterie.violations WITH (security_barrier) AS
-- Two claims of one lease whose tokens do not rise in the order of the ledger.
SELECT 'token did not rise' AS invariant, e.subject, e.at, e.node,
       format('token %s follows token %s', e.token, e.before) AS text
FROM (SELECT id, subject, at, node, token, lag(token) OVER (PARTITION BY subject ORDER BY id) AS before
      FROM coterie.event WHERE kind = 'lease.claimed') AS e
WHERE e.token <= e.before
UNION ALL
-- A lease that says a token which the ledger never gave.
SELECT 'token outside the ledger', l.name, l.acquired_at, l.node, format('token %s was never claimed', l.token)
FROM coterie.lease l
WHERE l.token > 0 AND NOT EXISTS (
    SELECT FROM coterie.event e WHERE e.subject = l.name AND e.kind = 'lease.claimed' AND e.token = l.token);
COMMENT ON VIEW coterie.violations IS 'Invariants that do not hold. This view must stay empty.';
COMMENT ON COLUMN coterie.violations.invariant IS 'What should hold and does not.';
COMMENT ON COLUMN coterie.violations.subject IS 'Lease or job that it concerns.';
COMMENT ON COLUMN coterie.violations.at IS 'When it happened.';
COMMENT ON COLUMN coterie.violations.node IS 'Node that did it.';
COMMENT ON COLUMN coterie.violations.text IS 'The facts.';
