CREATE OR REPLACE VIEW coterie.trusts WITH (security_barrier) AS
-- A pair that nobody has tried yet is not ok, and not failing.
SELECT f.node AS from_node, t.node AS to_node, r.result = 'ok' AS ok, r.latency_ms, nullif(r.detail, '') AS reason,
       coalesce(r.result::text, 'untried') AS result, r.fingerprint, r.version, r.since, r.tested_at, nullif(t.address, '') AS address,
       CASE r.result WHEN 'ok' THEN NULL
            WHEN 'unknown_issuer' THEN format('have %s publish what its server shows: trust.address or trust.certificates there; coterie trust show', t.node)
            WHEN 'name_mismatch' THEN format('give the server of %s a certificate for that name, or set trust.host there', t.node)
            WHEN 'expired' THEN format('give the server of %s a new certificate', t.node)
            WHEN 'not_yet_valid' THEN format('look at the clocks of %s and %s', f.node, t.node)
            WHEN 'unfit' THEN format('give the server of %s another certificate', t.node)
            WHEN 'refused' THEN format('start the server of %s, or correct trust.address there', t.node)
            WHEN 'no_tls' THEN format('correct trust.address of %s: what listens there does not speak TLS', t.node)
            WHEN 'no_store' THEN format('look at what the agent of %s logs: it has no trust store to try', f.node)
            ELSE format('look at the network and firewalls between %s and %s', f.node, t.node) END AS remedy
FROM coterie.trust_node f
JOIN coterie.node fn ON fn.name = f.node AND fn.state NOT IN ('left', 'evicted') AND coterie.trust_admits(fn.id)
CROSS JOIN coterie.trust_node t
JOIN coterie.node tn ON tn.name = t.node AND tn.state NOT IN ('left', 'evicted') AND coterie.trust_admits(tn.id)
LEFT JOIN coterie.trust_test r ON r.from_node = f.node AND r.to_node = t.node
WHERE f.state <> 'none' AND t.address <> '';
COMMENT ON VIEW coterie.trusts IS 'A row per pair of nodes: what came of a real TLS connection from the one to the server of the other, by the trust store that the first has. A node''s own server is one of them.';
COMMENT ON COLUMN coterie.trusts.from_node IS 'Node that calls.';
COMMENT ON COLUMN coterie.trusts.to_node IS 'Node whose server it calls.';
COMMENT ON COLUMN coterie.trusts.ok IS 'Whether the certificate that was shown is trusted; null when nobody has tried yet.';
COMMENT ON COLUMN coterie.trusts.latency_ms IS 'How long connection and handshake took, in milliseconds.';
COMMENT ON COLUMN coterie.trusts.reason IS 'Why not, in words.';
COMMENT ON COLUMN coterie.trusts.result IS 'ok, unknown_issuer, name_mismatch, expired, not_yet_valid, unfit, refused, unreachable, timeout, no_tls, no_store, or untried.';
COMMENT ON COLUMN coterie.trusts.fingerprint IS 'SHA-256 of the certificate that was shown.';
COMMENT ON COLUMN coterie.trusts.version IS 'Version of the trust store that it was tried with.';
COMMENT ON COLUMN coterie.trusts.since IS 'Since when the result is this one.';
COMMENT ON COLUMN coterie.trusts.tested_at IS 'When it was tried last.';
COMMENT ON COLUMN coterie.trusts.address IS 'host:port that is called.';
COMMENT ON COLUMN coterie.trusts.remedy IS 'What to do about it.';
