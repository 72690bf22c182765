CREATE OR REPLACE FUNCTION coterie.history() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- PL/pgSQL keeps its plan: in SQL it takes three times as long, at each heartbeat and each assertion.
    RETURN concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                     (SELECT oid FROM pg_database WHERE datname = current_database()),
                     (SELECT oid FROM pg_namespace WHERE nspname = 'coterie'));
END $$;
COMMENT ON FUNCTION coterie.history() IS 'Names this very schema in this very database of this very server: a clone, a restored dump or a re-created schema has another name.';
REVOKE ALL ON FUNCTION coterie.history() FROM PUBLIC;
