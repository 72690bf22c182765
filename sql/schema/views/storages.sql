-- after views/sights.sql
CREATE OR REPLACE VIEW coterie.storages WITH (security_barrier) AS
SELECT g.node,
       g.state,
       g.marker_ok,
       g.readable,
       g.writable,
       g.fs_type,
       g.source,
       g.options,
       g.latency_ms,
       g.free_bytes,
       g.generation,
       g.since,
       g.checked_at,
       g.reason,
       EXISTS (SELECT FROM coterie.session s WHERE s.node = g.node AND s.expires_at > coterie.clock()) AS node_lives,
       coterie.storage_owns(g.node) AS owns_pct,
       coalesce((SELECT array_agg(x.writer ORDER BY x.writer) FROM coterie.sights x WHERE x.reader = g.node AND NOT x.seen), '{}') AS unseen
FROM coterie.storage g;
COMMENT ON VIEW coterie.storages IS 'A row per node: what it sees of the shared folder.';
COMMENT ON COLUMN coterie.storages.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.storages.state IS 'OK, DEGRADED, FULL, READ_ONLY, STALE, OLD_GENERATION, WRONG_SHARE, NOT_MOUNTED or HUNG.';
COMMENT ON COLUMN coterie.storages.marker_ok IS 'Whether the folder carries this cluster''s marker.';
COMMENT ON COLUMN coterie.storages.readable IS 'Whether the node could list and read it.';
COMMENT ON COLUMN coterie.storages.writable IS 'Whether the node could write, rename, read back and remove a file in it.';
COMMENT ON COLUMN coterie.storages.fs_type IS 'Type of the file system, as the kernel names it.';
COMMENT ON COLUMN coterie.storages.source IS 'What is mounted, for example nas1:/export/deploy.';
COMMENT ON COLUMN coterie.storages.options IS 'Options of the mount and of the file system.';
COMMENT ON COLUMN coterie.storages.latency_ms IS 'How long the last small write took, forced to disk, in milliseconds; null when none was tried.';
COMMENT ON COLUMN coterie.storages.free_bytes IS 'Bytes that the node may still write; null when not known.';
COMMENT ON COLUMN coterie.storages.generation IS 'Generation that the marker says; null when no marker of ours was seen.';
COMMENT ON COLUMN coterie.storages.since IS 'When the node reported this state first.';
COMMENT ON COLUMN coterie.storages.checked_at IS 'When the node last reported: news at once, the same again every few minutes.';
COMMENT ON COLUMN coterie.storages.reason IS 'Why that state, in words; empty when all is well.';
COMMENT ON COLUMN coterie.storages.node_lives IS 'Whether the node has a session; if not, nobody is looking any more.';
COMMENT ON COLUMN coterie.storages.owns_pct IS 'Of the nodes that live and can use the share, itself included: with how many in a hundred it has seen each other there; 100 when all see one share.';
COMMENT ON COLUMN coterie.storages.unseen IS 'Nodes of whose words it sees nothing, or nothing new; coterie.sights says why.';
