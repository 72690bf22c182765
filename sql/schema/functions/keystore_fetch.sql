CREATE OR REPLACE FUNCTION coterie.keystore_fetch(p_name text, p_version bigint, p_recipient text)
RETURNS TABLE (content bytea, key bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT k.content, c.key
    FROM coterie.keystore k
    JOIN coterie.keystore_copy c ON c.name = k.name AND c.version = k.version
    WHERE k.name = p_name AND k.version = p_version AND c.recipient = p_recipient
$$;
COMMENT ON FUNCTION coterie.keystore_fetch(text, bigint, text) IS
    'What a recipient needs to open a version of a keystore: the encrypted content, and its key sealed to that recipient.';
REVOKE ALL ON FUNCTION coterie.keystore_fetch(text, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_fetch(text, bigint, text) TO coterie_agent, coterie_operator;
