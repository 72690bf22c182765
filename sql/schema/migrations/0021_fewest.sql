-- needs 16
-- A service may need a number of nodes to be safe: a pool says how many of its seats are held when all is well.

ALTER TABLE coterie.license_pool ADD COLUMN least integer NOT NULL DEFAULT 0 CHECK (least BETWEEN 0 AND 1000000);
COMMENT ON COLUMN coterie.license_pool.least IS 'Seats that are held when all is well, as by the nodes of a service that needs three; with fewer people are warned.';
