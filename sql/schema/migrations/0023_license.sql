-- needs 16
-- Seats that a node keeps in advance are its own as long as its process may be there. When it surely is not, others
-- need not wait for their time to be over.
ALTER TABLE coterie.license_escrow ADD COLUMN dead boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN coterie.license_escrow.dead IS 'The process that might grant out of them is surely gone: whoever decides next in the pool takes them back.';
