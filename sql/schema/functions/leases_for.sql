CREATE OR REPLACE FUNCTION coterie.leases_for(p_node text, p_incarnation bigint, p_wants text[]) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN (
        WITH seen AS (
            SELECT l.name, l.class, l.token, l.node, l.goal, l.goal_now, l.prefer, l.prefer IS NOT DISTINCT FROM l.node AS stays,
                   s.node IS NOT NULL AS held, l.node = p_node AND l.incarnation = p_incarnation AS mine
            FROM coterie.lease l
            LEFT JOIN coterie.session s ON s.node = l.node AND s.incarnation = l.incarnation
        ), classes AS (
            SELECT node, class, count(*) FILTER (WHERE NOT stays) AS n, count(*) FILTER (WHERE stays) AS stays
            FROM seen WHERE held AND class IS NOT NULL
            GROUP BY node, class
        ), holders AS (
            SELECT node, json_object_agg(class, n) FILTER (WHERE n > 0) AS holds, sum(stays) AS stays
            FROM classes
            GROUP BY node
        ), load AS (
            SELECT s.node, s.takes, coalesce(h.holds, '{}') AS holds, coalesce(h.stays, 0) AS stays
            FROM coterie.session s
            LEFT JOIN holders h ON h.node = s.node
            WHERE cardinality(s.takes) > 0
        )
        SELECT json_build_object(
            'held', (SELECT json_agg(json_build_object('name', name, 'class', class, 'token', token, 'goal', goal, 'goal_now', goal_now, 'prefer', prefer) ORDER BY name)
                     FROM seen WHERE held AND mine),
            'free', (SELECT json_agg(json_build_object('name', name, 'class', class, 'token', token, 'goal', goal, 'goal_now', goal_now, 'prefer', prefer) ORDER BY name)
                     FROM seen WHERE NOT held AND (class IS NOT NULL OR p_wants IS NULL OR name = ANY (p_wants))),
            'load', (SELECT json_agg(json_build_object('node', node, 'takes', takes, 'holds', holds, 'stays', stays) ORDER BY node) FROM load),
            'paused', (SELECT paused FROM coterie.setting),
            'mark', coterie.last_token()));
END $$;
COMMENT ON FUNCTION coterie.leases_for(text, bigint, text[]) IS 'What a life of a node holds, what is free (of what is taken by name, only what it wants; all when that is null), and how many leases of each class each node that takes leases holds, and of all that stay with it.';
REVOKE ALL ON FUNCTION coterie.leases_for(text, bigint, text[]) FROM PUBLIC;
