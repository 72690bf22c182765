CREATE OR REPLACE FUNCTION coterie.keystore_copied(
    p_node text, p_incarnation bigint, p_token bigint, p_name text, p_path text, p_version bigint, p_sha256 text, p_written boolean, p_error text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before coterie.keystore_file;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it, and only who holds the lease writes the copy.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM coterie.assert_lease('keystore/' || p_name, p_token);
    SELECT * INTO before FROM coterie.keystore_file f WHERE f.name = p_name FOR UPDATE;
    IF NOT p_written AND (before.path, before.version, before.sha256, before.node, before.token, before.error)
                         IS NOT DISTINCT FROM (p_path, p_version, p_sha256, p_node, p_token, left(p_error, 2000)) THEN
        RETURN true; -- it said so before
    END IF;
    INSERT INTO coterie.keystore_file AS f (name, path, version, sha256, node, token, error, written_at)
    VALUES (p_name, p_path, p_version, p_sha256, p_node, p_token, left(p_error, 2000), CASE WHEN p_written THEN coterie.clock() END)
    ON CONFLICT (name) DO UPDATE
    SET path = excluded.path, version = excluded.version, sha256 = excluded.sha256, node = excluded.node, token = excluded.token,
        error = excluded.error, written_at = coalesce(excluded.written_at, f.written_at), seen_at = coterie.clock();
    IF p_written OR before.error IS DISTINCT FROM left(p_error, 2000) AND p_error <> '' THEN
        INSERT INTO coterie.event (node, kind, subject, token, reason, detail)
        VALUES (p_node, CASE WHEN p_written THEN 'keystore.copied' ELSE 'keystore.uncopied' END, p_name, p_token, nullif(left(p_error, 2000), ''),
                jsonb_build_object('path', p_path, 'version', p_version, 'mended', before.version IS NOT DISTINCT FROM p_version));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_copied(text, bigint, bigint, text, text, bigint, text, boolean, text) IS
    'The holder of the lease of a keystore tells what its copy on the share has, and whether it has just written it; false when another life of the node is at work, CT001 when the lease is another''s. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.keystore_copied(text, bigint, bigint, text, text, bigint, text, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_copied(text, bigint, bigint, text, text, bigint, text, boolean, text) TO coterie_agent;
