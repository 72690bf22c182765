CREATE OR REPLACE FUNCTION coterie.certificates_seen(p_job text, p_token bigint, p_seen jsonb)
RETURNS TABLE (place text, alias text, subject text, not_after timestamptz, severity text, what text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held coterie.session := coterie.run_fence(p_job, p_token);
BEGIN
    -- What one job looked at is one list: what is not in it any more is forgotten.
    DELETE FROM coterie.expiry e WHERE e.job = p_job;
    INSERT INTO coterie.expiry (job, place, alias, node, subject, issuer, fingerprint, not_before, not_after, trouble)
    SELECT p_job, s.place, coalesce(s.alias, ''), held.node, s.subject, s.issuer, s.fingerprint, s.not_before, s.not_after, nullif(s.trouble, '')
    FROM jsonb_to_recordset(p_seen) AS s (place text, alias text, subject text, issuer text, fingerprint text,
                                          not_before timestamptz, not_after timestamptz, trouble text);
    RETURN QUERY
    SELECT v.place, v.alias, v.subject, v.not_after, v.severity, v.what
    FROM coterie.expiries v WHERE v.job = p_job AND v.severity IS NOT NULL
    ORDER BY v.severity <> 'error', v.not_after, v.place, v.alias;
END $$;
COMMENT ON FUNCTION coterie.certificates_seen(text, bigint, jsonb) IS
    'Replaces what a job saw of certificates, under the live token of its lease; returns those that somebody should look at.';
REVOKE ALL ON FUNCTION coterie.certificates_seen(text, bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.certificates_seen(text, bigint, jsonb) TO coterie_agent;
