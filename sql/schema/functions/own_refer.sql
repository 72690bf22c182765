CREATE OR REPLACE FUNCTION coterie.own_refer(p_node text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was text;
BEGIN
    PERFORM FROM coterie.cluster FOR UPDATE;
    SELECT r.node INTO was FROM coterie.own_reference r;
    IF was IS NOT DISTINCT FROM p_node THEN
        RETURN false;
    END IF;
    DELETE FROM coterie.own_reference;
    IF p_node IS NOT NULL THEN
        INSERT INTO coterie.own_reference (node, by_whom, reason) VALUES (p_node, p_by, nullif(left(p_reason, 2000), ''));
    END IF;
    INSERT INTO coterie.event (kind, subject, actor, reason, detail)
    VALUES ('appdata.reference', coalesce(p_node, 'most'), p_by, nullif(left(p_reason, 2000), ''), jsonb_build_object('was', was));
    PERFORM coterie.own_settle();
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.own_refer(text, text, text) IS 'An operator names the node that the others are to be like in their own files, or null for what most nodes have. False when it was that already.';
REVOKE ALL ON FUNCTION coterie.own_refer(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_refer(text, text, text) TO coterie_operator;
