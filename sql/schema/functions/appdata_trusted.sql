CREATE OR REPLACE FUNCTION coterie.appdata_trusted() RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.pg_has_role(current_user, 'coterie_agent', 'USAGE') OR pg_catalog.pg_has_role(current_user, 'coterie_operator', 'USAGE')
$$;
COMMENT ON FUNCTION coterie.appdata_trusted() IS 'Whether who asks is an agent or an operator. Only they are shown sums over folders: with all else known, the content of a secret file in one could be guessed by it.';
REVOKE ALL ON FUNCTION coterie.appdata_trusted() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_trusted() TO coterie_reader;
