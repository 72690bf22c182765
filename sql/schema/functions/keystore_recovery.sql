CREATE OR REPLACE FUNCTION coterie.keystore_recovery(p_seal bytea, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    print text := encode(sha256(p_seal), 'hex');
BEGIN
    INSERT INTO coterie.keystore_recipient (name, seal, fingerprint)
    VALUES ('recovery/' || left(print, 16), p_seal, print)
    ON CONFLICT (name) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('keystore.recovery', 'recovery/' || left(print, 16), nullif(p_reason, ''), jsonb_build_object('by', p_by, 'fingerprint', print));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.keystore_recovery(bytea, text, text) IS
    'An operator registers a recovery key, to which every version of a keystore is sealed as well; false when it is registered.';
REVOKE ALL ON FUNCTION coterie.keystore_recovery(bytea, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_recovery(bytea, text, text) TO coterie_operator;
