CREATE OR REPLACE FUNCTION coterie.request_take(p_node text, p_incarnation bigint, p_room integer) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    me coterie.session;
    room integer;
    taken bigint[];
BEGIN
    SELECT s.* INTO me FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user AND s.expires_at > coterie.clock();
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    IF p_room = 0 THEN
        -- A node that takes nothing any more leaves to others what it has not begun.
        UPDATE coterie.request q SET node = NULL, incarnation = NULL
        WHERE q.node = p_node AND q.incarnation = p_incarnation
          AND NOT EXISTS (SELECT FROM coterie.run r WHERE r.job = q.job AND r.due_at = q.due_at AND r.outcome = 'running');
    END IF;
    -- A fair share of all that is to be done, and no more than there is room for.
    SELECT least(p_room, ceil(count(*)::numeric / greatest(1, (SELECT count(*) FROM coterie.session s WHERE s.takes <> '{}' AND s.expires_at > coterie.clock())))::integer)
           - count(*) FILTER (WHERE q.node = p_node AND q.incarnation = p_incarnation)
    INTO room
    FROM coterie.request q JOIN coterie.job j ON j.name = q.job AND j.queue
    WHERE (q.again_at > coterie.clock()) IS NOT TRUE;
    IF room > 0 THEN
        -- First come, first served; what others are taking at this moment is passed over. What a life that has ended
        -- had taken is free again.
        WITH first AS (
            SELECT q.id FROM coterie.request q JOIN coterie.job j ON j.name = q.job
            WHERE j.queue AND j.enabled AND NOT coterie.job_paused(j.name)
              AND coterie.job_class(j.action, j.requires) = ANY (me.takes)
              AND (q.again_at > coterie.clock()) IS NOT TRUE
              AND NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = q.node AND s.incarnation = q.incarnation)
            ORDER BY j.priority DESC, q.id
            LIMIT room FOR UPDATE OF q SKIP LOCKED
        ), mine AS (
            UPDATE coterie.request q SET node = p_node, incarnation = p_incarnation FROM first WHERE q.id = first.id RETURNING q.id
        )
        SELECT array_agg(id ORDER BY id) INTO taken FROM mine;
    END IF;
    -- All of mine, also those whose answer was lost.
    SELECT coalesce(array_agg(q.id ORDER BY q.id), '{}') INTO taken FROM coterie.request q
    WHERE q.node = p_node AND q.incarnation = p_incarnation OR q.id = ANY (taken);
    -- Leases of requests that are done go.
    DELETE FROM coterie.lease l
    WHERE l.name LIKE 'request/%' AND l.node IS NULL
      AND NOT EXISTS (SELECT FROM coterie.request q WHERE 'request/' || q.id = l.name);
    RETURN taken;
END $$;
COMMENT ON FUNCTION coterie.request_take(text, bigint, integer) IS
    'Takes requests of queue jobs for a living session, the oldest first, up to its fair share and the room that it has; returns the numbers of all that it has. It then takes the lease request/ID of each by name.';
REVOKE ALL ON FUNCTION coterie.request_take(text, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.request_take(text, bigint, integer) TO coterie_agent;
