CREATE OR REPLACE FUNCTION coterie.license_key(p_shared_by text, p_who text, p_session text, p_host text, p_node text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    -- A tab parts what no name can have. Neither SECURITY DEFINER nor a search_path: so it is part of its caller's plan.
    SELECT CASE p_shared_by
        WHEN 'user' THEN p_who
        WHEN 'host' THEN p_who || e'\t' || lower(p_host)
        WHEN 'session' THEN p_who || e'\t' || p_session
        ELSE p_node END
$$;
COMMENT ON FUNCTION coterie.license_key(text, text, text, text, text) IS 'What shares a seat: uses with the same key have one.';
REVOKE ALL ON FUNCTION coterie.license_key(text, text, text, text, text) FROM PUBLIC;
