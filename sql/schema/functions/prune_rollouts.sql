CREATE OR REPLACE FUNCTION coterie.prune_rollouts(p_from bigint, p_most integer) RETURNS TABLE (pruned bigint, next_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    until timestamptz;
BEGIN
    SELECT coterie.clock() - s.keep_runs INTO until FROM coterie.setting s;
    -- The last one that brought the active version stays: it tells to which version a rollback goes.
    WITH old AS (
        SELECT r.id, r.name, r.version, r.ended_at FROM coterie.keystore_rollout r WHERE r.id > p_from ORDER BY r.id LIMIT p_most
    ), gone AS (
        DELETE FROM coterie.keystore_rollout r USING old
        WHERE r.id = old.id AND old.ended_at < until
          AND r.id <> ALL (SELECT max(d.id) FROM coterie.keystore_rollout d JOIN coterie.keystore k ON k.name = d.name AND k.version = d.version AND k.state = 'active'
                           WHERE d.phase = 'done' GROUP BY d.name)
        RETURNING r.id, r.name, r.version
    ), said AS (
        -- What nodes found in a version is asked for only while it may come to them.
        DELETE FROM coterie.keystore_vote v USING coterie.keystore k
        WHERE k.name = v.name AND k.version = v.version AND k.state IN ('retired', 'rejected') AND v.voted_at < until
    )
    SELECT (SELECT count(*) FROM gone), (SELECT max(old.id) FROM old HAVING count(*) = p_most)
    INTO pruned, next_id;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION coterie.prune_rollouts(bigint, integer) IS
    'Deletes some of the rollouts of keystores that ended longer ago than the setting keep_runs says, from a number on, and votes on versions that are over as long; returns how many, and the number to go on from, null when all were looked at.';
REVOKE ALL ON FUNCTION coterie.prune_rollouts(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.prune_rollouts(bigint, integer) TO coterie_agent;
