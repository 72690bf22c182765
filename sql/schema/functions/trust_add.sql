CREATE OR REPLACE FUNCTION coterie.trust_add(
    p_alias text, p_certificate bytea, p_subject text, p_not_before timestamptz, p_not_after timestamptz, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    print text := encode(sha256(p_certificate), 'hex');
    other text;
BEGIN
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    SELECT a.alias INTO other FROM coterie.trust_anchor a WHERE a.fingerprint = print;
    IF other = p_alias THEN
        RETURN false;
    ELSIF FOUND THEN
        RAISE EXCEPTION 'it is there as %', quote_literal(other) USING ERRCODE = 'CT051';
    ELSIF EXISTS (SELECT FROM coterie.trust_anchor a WHERE a.alias = p_alias) THEN
        RAISE EXCEPTION '% is the alias of another certificate', quote_literal(p_alias) USING ERRCODE = 'CT051';
    END IF;
    INSERT INTO coterie.trust_anchor (alias, fingerprint, certificate, subject, not_before, not_after, added_by, reason)
    VALUES (p_alias, print, p_certificate, left(p_subject, 2000), p_not_before, p_not_after, left(p_by, 200), nullif(left(p_reason, 2000), ''));
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('trust.added', p_alias, nullif(left(p_reason, 2000), ''), jsonb_build_object('by', p_by, 'fingerprint', print));
    PERFORM coterie.trust_settle(p_alias || ' added');
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.trust_add(text, bytea, text, timestamptz, timestamptz, text, text) IS
    'An operator has all nodes trust a certificate that is of no node; false when they do. CT051 when the alias or the certificate is there otherwise.';
REVOKE ALL ON FUNCTION coterie.trust_add(text, bytea, text, timestamptz, timestamptz, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_add(text, bytea, text, timestamptz, timestamptz, text, text) TO coterie_operator;
