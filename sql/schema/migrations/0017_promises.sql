-- needs 16
-- license_batch has one parameter more, and one function of its name is enough: nodes of the version before call the
-- new one with the default, by which each batch is on disk before it is answered.
DROP FUNCTION IF EXISTS coterie.license_batch(text, bigint, bigint, text[], text[], text[], text[], text[]);

-- Before each decision it is asked which uses of SQL clients idle. Most pools have none.
CREATE INDEX license_use_by_sql ON coterie.license_use (pool) WHERE by_sql;
