CREATE OR REPLACE FUNCTION coterie.trust_remove(p_alias text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    DELETE FROM coterie.trust_anchor a WHERE a.alias = p_alias;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('trust.removed', p_alias, nullif(left(p_reason, 2000), ''), jsonb_build_object('by', p_by));
    PERFORM coterie.trust_settle(p_alias || ' removed');
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.trust_remove(text, text, text) IS 'An operator has no node trust a certificate any more that an operator added; false when there is none of that alias.';
REVOKE ALL ON FUNCTION coterie.trust_remove(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_remove(text, text, text) TO coterie_operator;
