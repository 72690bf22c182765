-- Hall's theorem: everybody can be placed if, of every set of kinds of seats, no more need one of them than
-- there are. Kinds are few: entitlements for the same addresses are one.
CREATE OR REPLACE FUNCTION coterie.license_placed(p_pool coterie.license_pool, p_node text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    placed boolean;
BEGIN
    WITH kind AS (
        SELECT row_number() OVER (ORDER BY e.addresses)::int - 1 AS bit, e.addresses, sum(e.seats) AS seats
        FROM (SELECT ARRAY(SELECT DISTINCT a FROM unnest(l.addresses) AS a ORDER BY a) AS addresses, l.seats
              FROM coterie.license_entitlement l
              WHERE l.pool = p_pool.name AND coterie.clock() >= l.begins_at AND coterie.clock() < l.ends_at
              UNION ALL -- seats beyond are for whoever is entitled to any
              SELECT '{}', p_pool.overdraft + p_pool.entitled * p_pool.overdraft_percent / 100) AS e
        GROUP BY e.addresses
    ), holder AS (
        SELECT s.node AS name, count(*) AS seats FROM coterie.license_seat s WHERE s.pool = p_pool.name AND s.key IS NOT NULL GROUP BY s.node
        UNION ALL
        SELECT p_node, p_pool.weight
    ), need AS (
        SELECT h.seats, (SELECT coalesce(bit_or(1 << k.bit), 0) FROM kind k JOIN coterie.node n ON n.name = h.name
                         WHERE k.addresses = '{}' OR n.address = ANY (k.addresses)) AS kinds
        FROM holder h
    )
    SELECT (SELECT count(*) FROM kind) <= 12 AND NOT EXISTS (
        SELECT FROM generate_series(1, (1 << least(12, (SELECT count(*)::int FROM kind))) - 1) AS chosen (kinds)
        WHERE (SELECT sum(d.seats) FROM need d WHERE d.kinds <> 0 AND d.kinds & ~chosen.kinds = 0)
            > (SELECT sum(k.seats) FROM kind k WHERE chosen.kinds & (1 << k.bit) <> 0))
    INTO placed;
    RETURN placed;
END $$;
COMMENT ON FUNCTION coterie.license_placed(coterie.license_pool, text) IS
    'Whether a node can have a seat beside all nodes that have one, each on an entitlement that is for its address. The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_placed(coterie.license_pool, text) FROM PUBLIC;
