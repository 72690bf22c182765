CREATE OR REPLACE FUNCTION coterie.keystore_stage(
    p_name text, p_version bigint, p_format text, p_bytes integer, p_sha256 text, p_alias text,
    p_fingerprint text, p_subject text, p_not_before timestamptz, p_not_after timestamptz,
    p_content bytea, p_recipients text[], p_seals text[], p_keys bytea[], p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    newest coterie.keystore;
    stranger text;
BEGIN
    -- One after another: who comes second is told who was first.
    PERFORM FROM coterie.cluster FOR UPDATE;
    SELECT * INTO newest FROM coterie.keystore k WHERE k.name = p_name ORDER BY k.version DESC LIMIT 1;
    IF newest.version >= p_version AND EXISTS (SELECT FROM coterie.keystore k WHERE k.name = p_name AND k.version = p_version AND k.content = p_content) THEN
        RETURN false; -- this very call, whose answer was lost
    END IF;
    IF p_version <> coalesce(newest.version, 0) + 1 THEN
        RAISE EXCEPTION 'version % of % was staged by % at %', newest.version, p_name, newest.staged_by, to_char(newest.staged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
            USING ERRCODE = 'CT040', HINT = 'look at it: coterie keystore show; then stage again';
    END IF;
    INSERT INTO coterie.keystore (name, version, format, bytes, sha256, alias, fingerprint, subject, not_before, not_after, content, reason)
    VALUES (p_name, p_version, p_format, p_bytes, p_sha256, p_alias, p_fingerprint, left(p_subject, 2000), p_not_before, p_not_after, p_content, nullif(left(p_reason, 2000), ''));
    SELECT c.recipient INTO stranger
    FROM unnest(p_recipients, p_seals) AS c (recipient, seal)
    WHERE NOT EXISTS (SELECT FROM coterie.keystore_recipient r WHERE r.name = c.recipient AND r.fingerprint = c.seal);
    IF FOUND THEN
        RAISE EXCEPTION 'the key of % has changed meanwhile', stranger USING ERRCODE = 'CT040', HINT = 'stage again';
    END IF;
    INSERT INTO coterie.keystore_copy (name, version, recipient, seal, key)
    SELECT p_name, p_version, c.recipient, c.seal, c.key FROM unnest(p_recipients, p_seals, p_keys) AS c (recipient, seal, key);
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('keystore.staged', p_name, nullif(left(p_reason, 2000), ''),
            jsonb_build_object('version', p_version, 'fingerprint', p_fingerprint, 'by', p_by, 'recipients', to_jsonb(p_recipients)));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_stage(text, bigint, text, integer, text, text, text, text, timestamptz, timestamptz, bytea, text[], text[], bytea[], text, text) IS
    'An operator stages the next version of a keystore, sealed to these recipients. CT040 when somebody else staged that version, or a recipient''s key changed; false when this very call was made before.';
REVOKE ALL ON FUNCTION coterie.keystore_stage(text, bigint, text, integer, text, text, text, text, timestamptz, timestamptz, bytea, text[], text[], bytea[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_stage(text, bigint, text, integer, text, text, text, text, timestamptz, timestamptz, bytea, text[], text[], bytea[], text, text) TO coterie_operator;
