CREATE OR REPLACE FUNCTION coterie.clock() RETURNS timestamptz
LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';
COMMENT ON FUNCTION coterie.clock() IS 'The only clock that decides between nodes.';
