CREATE OR REPLACE VIEW coterie.takes WITH (security_barrier) AS
SELECT k.id, k.node, k.source, k.path, k.state, k.error, k.by_whom, k.asked_at, k.moved_at, k.backup,
       CASE WHEN k.class <> 'secret' THEN k.was END AS was, CASE WHEN k.class <> 'secret' THEN k.raw END AS raw, k.size, k.mode, k.uid, k.gid, k.class
FROM coterie.own_take k;
COMMENT ON VIEW coterie.takes IS 'A row per file that a node is to take from another, or has; thirty days are kept.';
COMMENT ON COLUMN coterie.takes.id IS 'Number of the request.';
COMMENT ON COLUMN coterie.takes.node IS 'Node that writes the file.';
COMMENT ON COLUMN coterie.takes.source IS 'Node that has the file as it should be.';
COMMENT ON COLUMN coterie.takes.path IS 'Path below the roots of both.';
COMMENT ON COLUMN coterie.takes.state IS 'asked, given (a copy lies aside in the share), taken, failed or withdrawn.';
COMMENT ON COLUMN coterie.takes.error IS 'Why it failed.';
COMMENT ON COLUMN coterie.takes.by_whom IS 'Who asked.';
COMMENT ON COLUMN coterie.takes.asked_at IS 'When.';
COMMENT ON COLUMN coterie.takes.moved_at IS 'When its state last changed.';
COMMENT ON COLUMN coterie.takes.backup IS 'Where on the node what was replaced is kept.';
COMMENT ON COLUMN coterie.takes.was IS 'SHA-256 of what was compared of the file that is replaced; null when there was none, or the class is secret or not known.';
COMMENT ON COLUMN coterie.takes.raw IS 'SHA-256 of the content that the source gave; null when the class is secret or not known.';
COMMENT ON COLUMN coterie.takes.size IS 'Its size.';
COMMENT ON COLUMN coterie.takes.mode IS 'Its mode.';
COMMENT ON COLUMN coterie.takes.uid IS 'Its owner.';
COMMENT ON COLUMN coterie.takes.gid IS 'Its group.';
COMMENT ON COLUMN coterie.takes.class IS 'What the file is to the cluster; secret if the rules of either node say so.';
