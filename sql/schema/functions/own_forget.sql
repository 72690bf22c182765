CREATE OR REPLACE FUNCTION coterie.own_forget(p_node text, p_incarnation bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM coterie.own o WHERE o.node = p_node;
    IF FOUND THEN
        DELETE FROM coterie.appdata_page p USING coterie.appdata_tree t WHERE p.tree = t.id AND t.name = 'node/' || p_node;
        DELETE FROM coterie.appdata_tree t WHERE t.name = 'node/' || p_node;
        PERFORM coterie.own_settle();
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.own_forget(text, bigint) IS 'A node no longer has files that must be as on the others: what is known of them is forgotten. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.own_forget(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_forget(text, bigint) TO coterie_agent;
