CREATE OR REPLACE VIEW coterie.sights WITH (security_barrier) AS
SELECT g.reader,
       g.writer,
       g.seen,
       g.reason,
       g.since,
       EXISTS (SELECT FROM coterie.sight b
               WHERE b.reader = g.writer AND b.writer = g.reader AND b.seen
                 AND b.reader_incarnation = g.writer_incarnation AND b.writer_incarnation = g.reader_incarnation) AND g.seen AS mutual
FROM coterie.sight g
JOIN coterie.session r ON r.node = g.reader AND r.incarnation = g.reader_incarnation AND r.expires_at > coterie.clock()
JOIN coterie.session w ON w.node = g.writer AND w.incarnation = g.writer_incarnation AND w.expires_at > coterie.clock();
COMMENT ON VIEW coterie.sights IS 'A row per pair of living nodes: whether one sees on the share what the other writes there. Without a row it is too early to tell.';
COMMENT ON COLUMN coterie.sights.reader IS 'Node that looks, through its own mount.';
COMMENT ON COLUMN coterie.sights.writer IS 'Node whose words it looks for.';
COMMENT ON COLUMN coterie.sights.seen IS 'Whether it reads what the other writes in its present life, and something newer with each look.';
COMMENT ON COLUMN coterie.sights.reason IS 'Why not, in words; empty when seen.';
COMMENT ON COLUMN coterie.sights.since IS 'When this was first so.';
COMMENT ON COLUMN coterie.sights.mutual IS 'Whether the other sees this one too: then both have the same share.';
