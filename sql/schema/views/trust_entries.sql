CREATE OR REPLACE VIEW coterie.trust_entries WITH (security_barrier) AS
SELECT e.alias, CASE WHEN e.node IS NULL THEN 'added' ELSE 'node' END AS kind, e.node, e.fingerprint,
       coalesce(c.subject, a.subject) AS subject, coalesce(c.not_before, a.not_before) AS not_before, coalesce(c.not_after, a.not_after) AS not_after,
       e.version, a.added_by, a.reason,
       E'-----BEGIN CERTIFICATE-----\n' || encode(e.certificate, 'base64') || E'\n-----END CERTIFICATE-----\n' AS pem
FROM coterie.trust_entry e
LEFT JOIN coterie.trust_certificate c ON c.node = e.node AND c.fingerprint = e.fingerprint
LEFT JOIN coterie.trust_anchor a ON e.node IS NULL AND 'added:' || a.alias = e.alias
WHERE e.version = (SELECT max(s.version) FROM coterie.trust_store s);
COMMENT ON VIEW coterie.trust_entries IS 'What the newest trust store has: a row per certificate that the servers of the cluster trust.';
COMMENT ON COLUMN coterie.trust_entries.alias IS 'Its alias in the files: the name of the node; with : and the beginning of the fingerprint for its further certificates; added: before what operators added.';
COMMENT ON COLUMN coterie.trust_entries.kind IS 'node, or added by an operator.';
COMMENT ON COLUMN coterie.trust_entries.node IS 'Node whose it is.';
COMMENT ON COLUMN coterie.trust_entries.fingerprint IS 'SHA-256 of the certificate.';
COMMENT ON COLUMN coterie.trust_entries.subject IS 'Its subject.';
COMMENT ON COLUMN coterie.trust_entries.not_before IS 'When it begins to be valid.';
COMMENT ON COLUMN coterie.trust_entries.not_after IS 'When it ends.';
COMMENT ON COLUMN coterie.trust_entries.version IS 'Version of the trust store.';
COMMENT ON COLUMN coterie.trust_entries.added_by IS 'Operator who added it.';
COMMENT ON COLUMN coterie.trust_entries.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.trust_entries.pem IS 'The certificate as PEM; all of them one after the other are a bundle.';
