CREATE OR REPLACE FUNCTION coterie.history() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- An expression without a query inside: asked at each heartbeat and each assertion. The folder that a table's
    -- file is in bears the number of the database.
    RETURN concat_ws('/', (pg_control_system()).system_identifier,
                     split_part(pg_relation_filepath('coterie.cluster'::regclass), '/', -2),
                     to_regnamespace('coterie')::oid);
END $$;
COMMENT ON FUNCTION coterie.history() IS 'Names this very schema in this very database of this very server: a clone, a restored dump or a re-created schema has another name.';
REVOKE ALL ON FUNCTION coterie.history() FROM PUBLIC;
