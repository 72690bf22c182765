CREATE OR REPLACE FUNCTION coterie.prune_events(p_from bigint, p_most integer) RETURNS TABLE (pruned bigint, next_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    until timestamptz;
BEGIN
    SELECT coterie.clock() - s.keep_events INTO until FROM coterie.setting s;
    -- The last event of all stays, since its number counts on; and those that say who had a token of a lease that
    -- is there, or of a job with runs as old as the event.
    WITH old AS (
        SELECT e.id, e.at, e.kind, e.subject, e.token FROM coterie.event e WHERE e.id > p_from ORDER BY e.id LIMIT p_most
    ), gone AS (
        DELETE FROM coterie.event e USING old
        WHERE e.id = old.id AND old.at < until AND old.id < (SELECT max(m.id) FROM coterie.event m)
          AND (old.kind <> 'lease.claimed' OR NOT (
              EXISTS (SELECT FROM coterie.lease l WHERE l.name = old.subject AND l.token = old.token)
              OR EXISTS (SELECT FROM coterie.run r WHERE r.job = substr(old.subject, 5) AND old.subject LIKE 'job/%' AND r.due_at < until)))
        RETURNING e.id
    )
    SELECT (SELECT count(*) FROM gone), (SELECT max(old.id) FROM old HAVING count(*) = p_most AND bool_or(old.at < until))
    INTO pruned, next_id;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION coterie.prune_events(bigint, integer) IS
    'Deletes some of the events that are older than the setting keep_events, from a number on; returns how many, and the number to go on from, null when there are no older ones.';
REVOKE ALL ON FUNCTION coterie.prune_events(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.prune_events(bigint, integer) TO coterie_agent;
