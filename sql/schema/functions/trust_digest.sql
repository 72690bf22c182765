CREATE OR REPLACE FUNCTION coterie.trust_digest() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT encode(sha256(convert_to(coalesce(string_agg(w.alias || ' ' || w.fingerprint || E'\n', '' ORDER BY w.alias COLLATE "C"), ''), 'UTF8')), 'hex')
    FROM coterie.trust_content() w
$$;
COMMENT ON FUNCTION coterie.trust_digest() IS 'Digest of what the trust store should have now.';
REVOKE ALL ON FUNCTION coterie.trust_digest() FROM PUBLIC;
