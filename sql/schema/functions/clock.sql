CREATE OR REPLACE FUNCTION coterie.clock() RETURNS timestamptz
LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';
COMMENT ON FUNCTION coterie.clock() IS 'The only clock that decides between nodes.';
-- Views ask for the time with the rights of who reads them.
REVOKE ALL ON FUNCTION coterie.clock() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.clock() TO coterie_reader;
