-- needs 12
-- Where leases would rather be.

ALTER TABLE coterie.node ADD COLUMN weight int NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100);
COMMENT ON COLUMN coterie.node.weight IS 'Its share of the leases, beside the weights of the other nodes.';

ALTER TABLE coterie.lease
    ADD COLUMN likes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN apart text;
COMMENT ON COLUMN coterie.lease.likes IS 'Tags of nodes that it would rather be with; others hold it only while none that has more of them can.';
COMMENT ON COLUMN coterie.lease.apart IS 'Leases of one such group are kept on different nodes as far as there are enough.';

DROP FUNCTION IF EXISTS coterie.node_join(text, text, text, text, text, text, text, text[], boolean, text[]);
