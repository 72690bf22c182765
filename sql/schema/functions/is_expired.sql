CREATE OR REPLACE FUNCTION coterie.is_expired(p_session coterie.session) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    -- Neither SECURITY DEFINER nor a search_path of its own: so it is part of its caller's plan.
    -- Further ahead than its time to live: the clock was set back, and would keep the dead for as long as that.
    SELECT coterie.clock() NOT BETWEEN p_session.expires_at - p_session.ttl AND p_session.expires_at
$$;
COMMENT ON FUNCTION coterie.is_expired(coterie.session) IS 'Whether a session may be ended, as far as this clock can tell; whoever ends it must have seen it stand still, too.';
REVOKE ALL ON FUNCTION coterie.is_expired(coterie.session) FROM PUBLIC;
