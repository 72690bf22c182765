CREATE OR REPLACE FUNCTION coterie.leases_for(p_node text, p_incarnation bigint, p_wants text[]) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_nestloop = off AS $$
BEGIN
    -- Every lease and every session is read anyway. Without statistics, as in a cluster that grew a moment ago, each was
    -- looked up for each: 2 s for ten thousand leases of a thousand nodes, and 18 ms so.
    RETURN (
        WITH seen AS (
            SELECT l.name, l.class, l.token, l.node, l.goal, l.goal_now, l.prefer, l.likes, l.apart,
                   l.prefer IS NOT DISTINCT FROM l.node OR l.apart IS NOT NULL AS stays,
                   s.node IS NOT NULL AS held, l.node = p_node AND l.incarnation = p_incarnation AS mine
            FROM coterie.lease l
            LEFT JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
        ), kinds AS (
            -- What leases are told apart by: class, and the tags that they like.
            SELECT node, array_to_string(class || likes, E'\x1f') AS kind,
                   count(*) FILTER (WHERE NOT stays) AS n, count(*) FILTER (WHERE stays) AS stays
            FROM seen WHERE held AND class IS NOT NULL
            GROUP BY node, kind
        ), groups AS (
            SELECT node, json_object_agg(apart, n) AS apart
            FROM (SELECT node, apart, count(*) AS n FROM seen WHERE held AND class IS NOT NULL AND apart IS NOT NULL GROUP BY node, apart) AS g
            GROUP BY node
        ), holders AS (
            SELECT node, json_object_agg(kind, n) FILTER (WHERE n > 0) AS holds, sum(stays) AS stays
            FROM kinds
            GROUP BY node
        ), load AS (
            SELECT s.node, coalesce(n.weight, 1) AS weight, nullif(n.tags, '{}') AS tags, s.takes,
                   coalesce(h.holds, '{}') AS holds, coalesce(h.stays, 0) AS stays, g.apart
            FROM coterie.session s
            LEFT JOIN coterie.node n ON n.name = s.node
            LEFT JOIN holders h ON h.node = s.node
            LEFT JOIN groups g ON g.node = s.node
            WHERE cardinality(s.takes) > 0
        )
        SELECT json_build_object(
            'held', (SELECT json_agg(json_build_object('name', name, 'class', class, 'token', token, 'goal', goal, 'goal_now', goal_now, 'prefer', prefer, 'likes', nullif(likes, '{}'), 'apart', apart) ORDER BY name)
                     FROM seen WHERE held AND mine),
            'free', (SELECT json_agg(json_build_object('name', name, 'class', class, 'token', token, 'goal', goal, 'goal_now', goal_now, 'prefer', prefer, 'likes', nullif(likes, '{}'), 'apart', apart) ORDER BY name)
                     FROM seen WHERE NOT held AND (class IS NOT NULL OR p_wants IS NULL OR name = ANY (p_wants))),
            'load', (SELECT json_agg(json_build_object('node', node, 'weight', weight, 'tags', tags, 'takes', takes, 'holds', holds, 'stays', stays, 'apart', apart) ORDER BY node) FROM load),
            'paused', (SELECT paused FROM coterie.setting),
            'mark', coterie.last_token()));
END $$;
COMMENT ON FUNCTION coterie.leases_for(text, bigint, text[]) IS 'What a life of a node holds, what is free (of what is taken by name, only what it wants; all when that is null), and of each node that takes leases its weight and tags, how many leases of each kind it holds, how many that stay with it, and how many of each group.';
REVOKE ALL ON FUNCTION coterie.leases_for(text, bigint, text[]) FROM PUBLIC;
