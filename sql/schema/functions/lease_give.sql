CREATE OR REPLACE FUNCTION coterie.lease_give(p_node text, p_incarnation bigint, p_name text, p_token bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.lease l
    SET node = NULL, incarnation = NULL, acquired_at = NULL, from_node = p_node, freed_at = coterie.clock(), freed_by = 'release'
    WHERE l.name = p_name AND l.class IS NULL AND l.token = p_token AND l.node = p_node AND l.incarnation = p_incarnation
      AND EXISTS (SELECT FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user);
    IF NOT FOUND THEN
        RETURN false; -- given back before, or lost
    END IF;
    INSERT INTO coterie.event (node, kind, subject, token, rule, reason)
    VALUES (p_node, 'lease.released', p_name, p_token, 'taken by name only', 'release');
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.lease_give(text, bigint, text, bigint) IS
    'Gives back what lease_take took; false when it was not held with that token any more. Waits for transactions that assert it.';
REVOKE ALL ON FUNCTION coterie.lease_give(text, bigint, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.lease_give(text, bigint, text, bigint) TO coterie_agent;
