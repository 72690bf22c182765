CREATE OR REPLACE FUNCTION coterie.license_withdraw(p_serial text, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp
    SET lock_timeout = '5s' AS $$
DECLARE
    p coterie.license_pool;
BEGIN
    IF NOT EXISTS (SELECT FROM coterie.license_file f WHERE f.serial = p_serial) THEN
        RETURN false;
    END IF;
    FOR p IN SELECT l.* FROM coterie.license_pool l
             WHERE l.name IN (SELECT e.pool FROM coterie.license_entitlement e WHERE e.serial = p_serial)
             ORDER BY l.name COLLATE "C" FOR NO KEY UPDATE LOOP
        DELETE FROM coterie.license_entitlement e WHERE e.pool = p.name AND e.serial = p_serial;
        PERFORM coterie.license_resize(p);
    END LOOP;
    DELETE FROM coterie.license_file f WHERE f.serial = p_serial;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('license.withdrawn', p_serial, nullif(p_reason, ''), jsonb_build_object('by', p_by));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.license_withdraw(text, text, text) IS
    'An operator withdraws a file: its seats are granted no more, holders keep theirs. False when it was not applied.';
REVOKE ALL ON FUNCTION coterie.license_withdraw(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_withdraw(text, text, text) TO coterie_operator;
