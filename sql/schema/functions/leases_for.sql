CREATE OR REPLACE FUNCTION coterie.leases_for(p_node text, p_incarnation bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH seen AS (
        SELECT l.name, l.token, l.node, l.incarnation,
               EXISTS (SELECT FROM coterie.session s WHERE s.node = l.node AND s.incarnation = l.incarnation) AS held
        FROM coterie.lease l
    ), load AS (
        SELECT s.node, (SELECT count(*) FROM coterie.lease l WHERE l.node = s.node AND l.incarnation = s.incarnation) AS leases
        FROM coterie.session s WHERE s.takes
    )
    SELECT json_build_object(
        'held', (SELECT json_agg(json_build_object('name', name, 'token', token) ORDER BY name)
                 FROM seen WHERE held AND node = p_node AND incarnation = p_incarnation),
        'free', (SELECT json_agg(json_build_object('name', name, 'token', token) ORDER BY name)
                 FROM seen WHERE NOT held),
        'load', (SELECT json_object_agg(node, leases) FROM load),
        'total', (SELECT count(*) FROM seen))
$$;
COMMENT ON FUNCTION coterie.leases_for(text, bigint) IS 'What a life of a node holds, what is free, and how many leases each node that takes leases holds.';
REVOKE ALL ON FUNCTION coterie.leases_for(text, bigint) FROM PUBLIC;
