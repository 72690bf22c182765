CREATE OR REPLACE FUNCTION coterie.leases_for(p_node text, p_incarnation bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH seen AS (
        SELECT l.name, l.class, l.token, l.node, l.goal, l.goal_now, l.prefer, l.prefer IS NOT DISTINCT FROM l.node AS stays,
               s.node IS NOT NULL AS held, l.node = p_node AND l.incarnation = p_incarnation AS mine
        FROM coterie.lease l
        LEFT JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
    ), load AS (
        SELECT s.node, s.takes,
               coalesce((SELECT json_object_agg(held.class, held.n)
                         FROM (SELECT class, count(*) AS n FROM seen
                               WHERE seen.held AND seen.node = s.node AND class IS NOT NULL AND NOT stays GROUP BY class) AS held), '{}') AS holds,
               (SELECT count(*) FROM seen WHERE seen.held AND seen.node = s.node AND class IS NOT NULL AND stays) AS stays
        FROM coterie.session s
        WHERE cardinality(s.takes) > 0
    )
    SELECT json_build_object(
        'held', (SELECT json_agg(json_build_object('name', name, 'class', class, 'token', token, 'goal', goal, 'goal_now', goal_now, 'prefer', prefer) ORDER BY name)
                 FROM seen WHERE held AND mine),
        'free', (SELECT json_agg(json_build_object('name', name, 'class', class, 'token', token, 'goal', goal, 'goal_now', goal_now, 'prefer', prefer) ORDER BY name)
                 FROM seen WHERE NOT held),
        'load', (SELECT json_agg(json_build_object('node', node, 'takes', takes, 'holds', holds, 'stays', stays) ORDER BY node) FROM load),
        'paused', (SELECT paused FROM coterie.setting),
        'mark', coterie.last_token())
$$;
COMMENT ON FUNCTION coterie.leases_for(text, bigint) IS 'What a life of a node holds, what is free, and how many leases of each class each node that takes leases holds, and of all that stay with it.';
REVOKE ALL ON FUNCTION coterie.leases_for(text, bigint) FROM PUBLIC;
