CREATE OR REPLACE FUNCTION coterie.appdata_accept(p_tree text, p_by text, p_reason text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.appdata_tree;
BEGIN
    UPDATE coterie.appdata_tree x
    SET accepted = x.held_files, accepted_at = coterie.clock(), accepted_by = p_by, reason = nullif(p_reason, '')
    WHERE x.name = p_tree AND x.held_files > 0 RETURNING x.* INTO t;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    INSERT INTO coterie.event (kind, subject, actor, reason, detail)
    VALUES ('appdata.accepted', p_tree, p_by, nullif(p_reason, ''), jsonb_build_object('files', t.accepted));
    RETURN t.accepted;
END $$;
COMMENT ON FUNCTION coterie.appdata_accept(text, text, text) IS
    'An operator says that the missing files of a tree are really gone; the next scan may miss as many, and no more. Gives how many, 0 when none are missing.';
REVOKE ALL ON FUNCTION coterie.appdata_accept(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_accept(text, text, text) TO coterie_operator;
