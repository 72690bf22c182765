CREATE OR REPLACE FUNCTION coterie.license_died(p_node text, p_incarnation bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Its seats move under the lock of their pool only, so they are marked here.
    UPDATE coterie.license_escrow e SET dead = true
    WHERE e.node = p_node AND e.incarnation = p_incarnation
      AND (e.login = session_user OR pg_has_role(session_user, 'coterie_operator', 'MEMBER'));
END $$;
COMMENT ON FUNCTION coterie.license_died(text, bigint) IS
    'The process of a life of a node is surely gone, as its last will or its successor says: it grants nothing any more out of seats that it kept in advance.';
REVOKE ALL ON FUNCTION coterie.license_died(text, bigint) FROM PUBLIC;
