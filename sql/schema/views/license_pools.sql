CREATE OR REPLACE VIEW coterie.license_pools WITH (security_barrier) AS
SELECT p.name AS pool,
       p.entitled,
       coalesce(h.seats, 0) AS in_use,
       coalesce(h.overdraft, 0) AS overdraft,
       coalesce(h.excess, 0) AS excess,
       CASE WHEN p.enforced THEN greatest(p.entitled - coalesce(h.seats, 0) - coalesce(h.escrowed, 0), 0) END AS free,
       coalesce(h.escrowed, 0) AS escrowed,
       coalesce(h.lingering, 0) AS lingering,
       p.kind,
       p.shared_by,
       p.enforced,
       p.warn_at,
       CASE WHEN p.entitled > 0 THEN round(100.0 * (coalesce(h.seats, 0) + coalesce(h.overdraft, 0) + coalesce(h.excess, 0)) / p.entitled, 1) END AS used_pct,
       greatest(coalesce((SELECT max(k.peak) FROM coterie.license_peak k WHERE k.pool = p.name AND k.hour >= date_trunc('day', coterie.clock(), 'UTC')), 0),
                p.in_use + p.over) AS peak_today,
       (SELECT coalesce(sum(d.times), 0)::bigint FROM coterie.license_denial d WHERE d.pool = p.name AND d.hour >= coterie.clock() - interval '25 hours' AND d.last_at >= coterie.clock() - interval '24 hours') AS denied_24h,
       (SELECT count(*) FROM coterie.license_name n WHERE n.pool = p.name AND n.removed_at IS NULL) AS named,
       CASE WHEN isfinite(p.valid_until) THEN p.valid_until END AS valid_until,
       h.by_node,
       coalesce(h.shared, 0) AS on_several_nodes
FROM coterie.license_pool p
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE s.key IS NOT NULL AND s.kind = 'seat' AND (u.n > 0 OR s.linger_until IS NOT NULL)) AS seats,
           count(*) FILTER (WHERE s.kind = 'overdraft' AND u.n > 0) AS overdraft,
           count(*) FILTER (WHERE s.kind = 'excess' AND u.n > 0) AS excess,
           count(*) FILTER (WHERE s.escrow IS NOT NULL) AS escrowed,
           count(*) FILTER (WHERE s.key IS NOT NULL AND coalesce(u.n, 0) = 0 AND s.linger_until IS NOT NULL) AS lingering,
           count(*) FILTER (WHERE u.n > 1) AS shared,
           (SELECT jsonb_object_agg(b.node, b.n) FROM (
                SELECT x.node, count(DISTINCT x.key) AS n FROM coterie.license_use x
                JOIN coterie.session o ON o.node = x.node AND o.incarnation = x.incarnation
                WHERE x.pool = p.name GROUP BY x.node) AS b) AS by_node
    FROM coterie.license_seat s
    LEFT JOIN (SELECT y.key, count(DISTINCT y.node) AS n FROM coterie.license_use y
               JOIN coterie.session o ON o.node = y.node AND o.incarnation = y.incarnation
               WHERE y.pool = p.name GROUP BY y.key) AS u ON u.key = s.key
    WHERE s.pool = p.name AND (s.key IS NOT NULL OR s.escrow IS NOT NULL)
) AS h ON true;
COMMENT ON VIEW coterie.license_pools IS 'A row per pool of licence seats.';
COMMENT ON COLUMN coterie.license_pools.pool IS 'Name of the pool.';
COMMENT ON COLUMN coterie.license_pools.entitled IS 'Seats of all entitlements that are valid now.';
COMMENT ON COLUMN coterie.license_pools.in_use IS 'Seats within the entitlement that living sessions hold.';
COMMENT ON COLUMN coterie.license_pools.overdraft IS 'Seats beyond it that the pools rule permitted.';
COMMENT ON COLUMN coterie.license_pools.excess IS 'Seats beyond it of users who were at work when no seat was left for them.';
COMMENT ON COLUMN coterie.license_pools.free IS 'Seats that can be had; null where nothing is refused.';
COMMENT ON COLUMN coterie.license_pools.escrowed IS 'Seats that nodes keep in advance.';
COMMENT ON COLUMN coterie.license_pools.lingering IS 'Seats of in_use that nobody uses, and that stay their holders for a while.';
COMMENT ON COLUMN coterie.license_pools.kind IS 'floating, named, agents, servers or nodes.';
COMMENT ON COLUMN coterie.license_pools.shared_by IS 'Whose uses share a seat: user, host, session or node.';
COMMENT ON COLUMN coterie.license_pools.enforced IS 'Whether more is refused; false only counts.';
COMMENT ON COLUMN coterie.license_pools.warn_at IS 'Percent from which on people are warned.';
COMMENT ON COLUMN coterie.license_pools.used_pct IS 'Percent of the entitlement that is held.';
COMMENT ON COLUMN coterie.license_pools.peak_today IS 'Most seats held at once since midnight UTC.';
COMMENT ON COLUMN coterie.license_pools.denied_24h IS 'Refusals in the last 24 hours.';
COMMENT ON COLUMN coterie.license_pools.named IS 'Users with access, where users are named.';
COMMENT ON COLUMN coterie.license_pools.valid_until IS 'When an entitlement begins or ends next.';
COMMENT ON COLUMN coterie.license_pools.by_node IS 'Seats used on each node; what is used on two counts on both.';
COMMENT ON COLUMN coterie.license_pools.on_several_nodes IS 'Seats used on several nodes, which count once.';
