CREATE OR REPLACE FUNCTION coterie.lease_declare(p_names text[], p_class text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    WITH declared AS (
        INSERT INTO coterie.lease (name, class) SELECT DISTINCT name, p_class FROM unnest(p_names) AS name
        ON CONFLICT (name) DO NOTHING
        RETURNING name
    ), told AS (
        INSERT INTO coterie.event (kind, subject) SELECT 'lease.declared', name FROM declared ORDER BY name RETURNING id
    )
    SELECT count(*) INTO made FROM told;
    RETURN made;
END $$;
COMMENT ON FUNCTION coterie.lease_declare(text[], text) IS 'Makes rows, free, for leases that have none; returns how many were new.';
REVOKE ALL ON FUNCTION coterie.lease_declare(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.lease_declare(text[], text) TO coterie_agent, coterie_operator;
