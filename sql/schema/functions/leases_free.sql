CREATE OR REPLACE FUNCTION coterie.leases_free(p_gone coterie.session, p_cause text)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- A row that an application holds through assert_lease is passed over: nobody waits here.
    -- Without its session it is free all the same, and tick lists it as free.
    UPDATE coterie.lease l
    SET node = NULL, incarnation = NULL, acquired_at = NULL,
        from_node = p_gone.node, freed_by = p_cause,
        freed_at = CASE p_cause WHEN 'crash' THEN p_gone.renewed_at ELSE coterie.clock() END
    WHERE l.name IN (
        SELECT name FROM coterie.lease
        WHERE node = p_gone.node AND incarnation = p_gone.incarnation
        FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION coterie.leases_free(coterie.session, text) IS
    'Frees the leases of a session that has just been deleted.';
REVOKE ALL ON FUNCTION coterie.leases_free(coterie.session, text) FROM PUBLIC;
