CREATE OR REPLACE FUNCTION coterie.license_who(p_domains text, p_holder text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    who text;
    mark integer;
BEGIN
    IF p_holder IS NULL OR octet_length(p_holder) > 1000 THEN
        RETURN NULL;
    END IF;
    who := p_holder;
    -- Two spellings of one letter (a composed one and one with a combining accent) are one user.
    IF octet_length(who) <> length(who) AND getdatabaseencoding() = 'UTF8' THEN
        who := normalize(who, NFC);
    END IF;
    who := lower(btrim(who, e' \t\r\n\u00a0'));
    -- DOMAIN\u and u@domain are two spellings, too.
    mark := strpos(who, '\');
    IF mark > 0 THEN
        who := substr(who, mark + 1) || CASE p_domains WHEN 'keep' THEN '@' || left(who, mark - 1) ELSE '' END;
    ELSIF p_domains = 'strip' AND strpos(who, '@') > 1 THEN
        who := left(who, strpos(who, '@') - 1);
    END IF;
    IF who = '' OR left(who, 1) = '@' OR octet_length(who) > 300 OR who ~ '[[:cntrl:]]' THEN
        RETURN NULL;
    END IF;
    RETURN who;
END $$;
COMMENT ON FUNCTION coterie.license_who(text, text) IS
    'A user''s name as pools compare it: without blanks around it, in one case and one spelling; null for what is no name.';
REVOKE ALL ON FUNCTION coterie.license_who(text, text) FROM PUBLIC;
