-- needs 39
-- That a database is still the one of its era is proved once per life of its server, not by each statement.

ALTER TABLE coterie.cluster
    ADD COLUMN proved_by timestamptz,
    ADD COLUMN proved_in text;
COMMENT ON COLUMN coterie.cluster.proved_by IS 'When the server was started that last found history and timeline to be its own; a promoted, restored or cloned one was started at another time.';
COMMENT ON COLUMN coterie.cluster.proved_in IS 'The file of this table then: a clone within one server, and a schema made anew, have another.';
