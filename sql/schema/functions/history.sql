CREATE OR REPLACE FUNCTION coterie.history() RETURNS text
LANGUAGE sql VOLATILE AS $$
    -- Neither SECURITY DEFINER nor a search_path of its own: so it is part of its caller's plan, which each heartbeat
    -- and each assertion goes by. The folder that a table's file is in bears the number of the database.
    SELECT pg_catalog.concat_ws('/', (pg_catalog.pg_control_system()).system_identifier,
                                pg_catalog.split_part(pg_catalog.pg_relation_filepath('coterie.cluster'::pg_catalog.regclass), '/', -2),
                                pg_catalog.to_regnamespace('coterie')::pg_catalog.oid)
$$;
COMMENT ON FUNCTION coterie.history() IS 'Names this very schema in this very database of this very server: a clone, a restored dump or a re-created schema has another name.';
REVOKE ALL ON FUNCTION coterie.history() FROM PUBLIC;
