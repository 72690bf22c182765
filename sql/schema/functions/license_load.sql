CREATE OR REPLACE FUNCTION coterie.license_load(p_file jsonb, p_by text, p_reason text)
RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp
    SET lock_timeout = '5s' AS $$
DECLARE
    said jsonb;
    p coterie.license_pool;
    changed text[] := '{}';
    was text;
BEGIN
    SELECT f.document INTO was FROM coterie.license_file f WHERE f.serial = p_file->>'serial';
    IF was = p_file->>'document' THEN
        RETURN changed; -- applied before
    END IF;
    IF was IS NOT NULL THEN
        RAISE EXCEPTION 'another file with the serial % is applied', quote_literal(p_file->>'serial')
            USING ERRCODE = 'CT032', HINT = 'A serial stands for one file; withdraw the other one first.';
    END IF;
    INSERT INTO coterie.license_file (serial, issuer, document, signature, signed_by)
    VALUES (p_file->>'serial', coalesce(p_file->>'issuer', ''), p_file->>'document', p_file->>'signature', p_file->>'signed_by');
    FOR said IN SELECT value FROM jsonb_array_elements(p_file->'pools') ORDER BY value->>'pool' COLLATE "C" LOOP
        INSERT INTO coterie.license_pool (name, kind, shared_by)
        VALUES (said->>'pool', coalesce(said->>'kind', 'floating'),
                CASE WHEN said->>'kind' IN ('servers', 'nodes') THEN 'node' ELSE 'user' END)
        ON CONFLICT (name) DO NOTHING;
        SELECT l.* INTO p FROM coterie.license_pool l WHERE l.name = said->>'pool' FOR NO KEY UPDATE;
        INSERT INTO coterie.license_entitlement (pool, serial, seats, begins_at, ends_at, addresses)
        VALUES (p.name, p_file->>'serial', (said->>'seats')::integer, coalesce((said->>'begins_at')::timestamptz, '-infinity'),
                coalesce((said->>'ends_at')::timestamptz, 'infinity'),
                ARRAY(SELECT jsonb_array_elements_text(coalesce(said->'addresses', '[]'))));
        p := coterie.license_resize(p);
        changed := changed || p.name;
    END LOOP;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('license.loaded', p_file->>'serial', nullif(p_reason, ''), jsonb_build_object('by', p_by, 'pools', p_file->'pools', 'signed_by', p_file->>'signed_by'));
    RETURN changed;
END $$;
COMMENT ON FUNCTION coterie.license_load(jsonb, text, text) IS
    'An operator applies a signed file, whose signature the caller has verified: {"serial", "issuer", "document", "signature", "signed_by", "pools": [{"pool", "kind", "seats", "begins_at", "ends_at", "addresses"}]}. Returns the pools that changed, none when it was applied before; raises CT032 for another file of the same serial.';
REVOKE ALL ON FUNCTION coterie.license_load(jsonb, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_load(jsonb, text, text) TO coterie_operator;
