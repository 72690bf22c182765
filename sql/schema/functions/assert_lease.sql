CREATE OR REPLACE FUNCTION coterie.assert_lease(name text, token bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    this_timeline bigint := coterie.timeline();
    this_history text := coterie.history();
BEGIN
    -- The lock lasts until the caller's transaction ends, so nobody can take the lease before that commit.
    -- Rows that a promotion, a restore or a clone brought here prove nothing until a heartbeat has begun the new era.
    PERFORM FROM coterie.lease l, coterie.cluster c
    WHERE l.name = assert_lease.name AND l.token = assert_lease.token
      AND EXISTS (SELECT FROM coterie.session s
                  WHERE s.node = l.node AND s.incarnation = l.incarnation AND s.expires_at > coterie.clock())
      AND c.timeline = this_timeline AND c.history = this_history
    FOR SHARE OF l;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'lease % is not held with token %', quote_literal(left(assert_lease.name, 80)), assert_lease.token
            USING ERRCODE = 'CT001', HINT = 'Stop: another holder may be at work. See coterie.leases.';
    END IF;
END $$;
COMMENT ON FUNCTION coterie.assert_lease(text, bigint) IS
    'Raises CT001 unless the token is that of the live holder; holds the lease until the caller''s transaction ends.';
REVOKE ALL ON FUNCTION coterie.assert_lease(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.assert_lease(text, bigint) TO coterie_agent, coterie_operator;
