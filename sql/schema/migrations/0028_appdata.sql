-- Proof that all nodes see one share, both ways between each two.

CREATE TABLE coterie.challenge (
    node        text PRIMARY KEY REFERENCES coterie.node (name) ON DELETE CASCADE,
    incarnation bigint NOT NULL,
    nonce       text NOT NULL CHECK (nonce ~ '^[A-Z2-7]{16,64}$'),
    every       interval NOT NULL CHECK (every > '0'),
    at          timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.challenge IS 'One row per node: the nonce that it writes to the share in its present life. Who reads it there looks at the same share.';
COMMENT ON COLUMN coterie.challenge.node IS 'Node that writes it, to .coterie/nodes/NODE.challenge.';
COMMENT ON COLUMN coterie.challenge.incarnation IS 'Life of the node in which it told so.';
COMMENT ON COLUMN coterie.challenge.nonce IS 'What it writes, with a number after it that rises.';
COMMENT ON COLUMN coterie.challenge.every IS 'How often it writes.';
COMMENT ON COLUMN coterie.challenge.at IS 'When it told so; it had written before.';

-- Written when a sight changes: a healthy hour costs nothing.
CREATE TABLE coterie.sight (
    reader             text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    writer             text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    reader_incarnation bigint NOT NULL,
    writer_incarnation bigint NOT NULL,
    seen               boolean NOT NULL,
    reason             text NOT NULL,
    since              timestamptz NOT NULL DEFAULT coterie.clock(),
    PRIMARY KEY (reader, writer),
    CONSTRAINT of_another CHECK (reader <> writer),
    CONSTRAINT reason_when_not_seen CHECK (seen = (reason = ''))
);
COMMENT ON TABLE coterie.sight IS 'One row per pair of nodes: whether one sees on the share what the other writes there.';
COMMENT ON COLUMN coterie.sight.reader IS 'Node that looks, through its own mount.';
COMMENT ON COLUMN coterie.sight.writer IS 'Node whose challenge it looks for.';
COMMENT ON COLUMN coterie.sight.reader_incarnation IS 'Life of the reader; of an earlier life the row says nothing.';
COMMENT ON COLUMN coterie.sight.writer_incarnation IS 'Life of the writer.';
COMMENT ON COLUMN coterie.sight.seen IS 'Whether it reads the right nonce, and something newer with each look.';
COMMENT ON COLUMN coterie.sight.reason IS 'Why not, in words; empty when seen.';
COMMENT ON COLUMN coterie.sight.since IS 'When this was first so.';

ALTER TABLE coterie.cluster ADD share_generation bigint NOT NULL DEFAULT 1 CHECK (share_generation > 0);
COMMENT ON COLUMN coterie.cluster.share_generation IS 'Highest generation that a node has read from the marker of the share; an older marker is an older copy.';
