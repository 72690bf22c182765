-- after functions/keystore_stage.sql
CREATE OR REPLACE FUNCTION coterie.renewal_stage(
    p_node text, p_incarnation bigint, p_token bigint,
    p_name text, p_version bigint, p_format text, p_bytes integer, p_sha256 text, p_alias text,
    p_fingerprint text, p_subject text, p_not_before timestamptz, p_not_after timestamptz,
    p_content bytea, p_recipients text[], p_seals text[], p_keys bytea[])
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- A node stages nothing but what it renews: fenced by its session and by the lease of the attempt.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM coterie.assert_lease('renewal/' || p_name, p_token);
    PERFORM FROM coterie.renewal r WHERE r.name = p_name AND r.token = p_token AND r.ended_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM coterie.keystore_stage(p_name, p_version, p_format, p_bytes, p_sha256, p_alias, p_fingerprint, p_subject, p_not_before, p_not_after,
                                   p_content, p_recipients, p_seals, p_keys, p_node, 'renewed by ' || p_node);
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.renewal_stage(text, bigint, bigint, text, bigint, text, integer, text, text, text, text, timestamptz, timestamptz, bytea, text[], text[], bytea[]) IS
    'A node that renews the certificate of a keystore stages what its program made; false when another life of it is at work or no attempt is under way, otherwise as keystore_stage.';
REVOKE ALL ON FUNCTION coterie.renewal_stage(text, bigint, bigint, text, bigint, text, integer, text, text, text, text, timestamptz, timestamptz, bytea, text[], text[], bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.renewal_stage(text, bigint, bigint, text, bigint, text, integer, text, text, text, text, timestamptz, timestamptz, bytea, text[], text[], bytea[]) TO coterie_agent;
