CREATE OR REPLACE VIEW coterie.license_seats WITH (security_barrier) AS
SELECT s.pool,
       s.holder,
       u.nodes,
       s.since,
       u.expires_at - coterie.clock() AS expires_in,
       s.number AS seat,
       s.kind,
       coalesce(u.uses, 0) AS uses,
       u.hosts,
       u.renewed_at,
       s.linger_until,
       u.uses IS NULL AND s.linger_until IS NULL AS void
FROM coterie.license_seat s
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT u.node ORDER BY u.node) AS nodes, max(n.expires_at) AS expires_at, count(*) AS uses, max(u.renewed_at) AS renewed_at,
           array_agg(DISTINCT u.host ORDER BY u.host) FILTER (WHERE u.host <> '') AS hosts
    FROM coterie.license_use u
    JOIN coterie.session n ON n.node = u.node AND n.incarnation = u.incarnation
    WHERE u.pool = s.pool AND u.key = s.key
    HAVING count(*) > 0
) AS u ON true
WHERE s.key IS NOT NULL;
COMMENT ON VIEW coterie.license_seats IS 'A row per seat that is held.';
COMMENT ON COLUMN coterie.license_seats.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_seats.holder IS 'Who holds it, as it was written at the checkout.';
COMMENT ON COLUMN coterie.license_seats.nodes IS 'Nodes on which it is used: a user on several counts once.';
COMMENT ON COLUMN coterie.license_seats.since IS 'Since when.';
COMMENT ON COLUMN coterie.license_seats.expires_in IS 'When the last session that uses it may be ended, unless it is renewed.';
COMMENT ON COLUMN coterie.license_seats.seat IS 'Number of the seat; negative beyond the entitlement.';
COMMENT ON COLUMN coterie.license_seats.kind IS 'seat, overdraft or excess.';
COMMENT ON COLUMN coterie.license_seats.uses IS 'Sessions that use it.';
COMMENT ON COLUMN coterie.license_seats.hosts IS 'Hosts of the holder, where the application tells.';
COMMENT ON COLUMN coterie.license_seats.renewed_at IS 'When it was renewed last, as far as the database knows.';
COMMENT ON COLUMN coterie.license_seats.linger_until IS 'Nobody uses it any more, and it stays the holders until then.';
COMMENT ON COLUMN coterie.license_seats.void IS 'Whether all sessions that used it have ended: the next who asks gets it.';
