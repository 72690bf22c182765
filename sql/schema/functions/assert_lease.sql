CREATE OR REPLACE FUNCTION coterie.assert_lease(name text, token bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    -- Applications pay for this with each transaction. A search_path of its own would cost as much as all the rest, so
    -- each name and operator says which schema it is of.
    --
    -- The lock lasts until the caller's transaction ends, so nobody can take the lease before that commit.
    -- Rows that a promotion, a restore or a clone brought here prove nothing until a heartbeat has begun the new era.
    PERFORM FROM coterie.lease l, coterie.cluster c
    WHERE l.name OPERATOR(pg_catalog.=) assert_lease.name AND l.token OPERATOR(pg_catalog.=) assert_lease.token
      AND EXISTS (SELECT FROM coterie.session s
                  WHERE s.node OPERATOR(pg_catalog.=) l.node AND s.incarnation OPERATOR(pg_catalog.=) l.incarnation
                    AND s.expires_at OPERATOR(pg_catalog.>) coterie.clock())
      AND coterie.era_here(c)
    FOR SHARE OF l;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'lease % is not held with token %', pg_catalog.quote_literal(pg_catalog.left(assert_lease.name, 80)), assert_lease.token
            USING ERRCODE = 'CT001', HINT = 'Stop: another holder may be at work. See coterie.leases.';
    END IF;
END $$;
COMMENT ON FUNCTION coterie.assert_lease(text, bigint) IS
    'Raises CT001 unless the token is that of the live holder; holds the lease until the caller''s transaction ends.';
REVOKE ALL ON FUNCTION coterie.assert_lease(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.assert_lease(text, bigint) TO coterie_agent, coterie_operator;
