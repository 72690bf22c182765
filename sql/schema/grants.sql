-- Who may do what, applied after the functions and views at every upgrade.
-- Functions grant themselves, in their own files.

GRANT USAGE ON SCHEMA coterie TO coterie_agent, coterie_operator, coterie_reader;

REVOKE ALL ON ALL ROUTINES IN SCHEMA coterie FROM PUBLIC;

DO $$
DECLARE
    v regclass;
BEGIN
    FOR v IN SELECT oid FROM pg_class WHERE relnamespace = 'coterie'::regnamespace AND relkind = 'v' LOOP
        EXECUTE format('GRANT SELECT ON %s TO coterie_reader', v);
    END LOOP;
END $$;
