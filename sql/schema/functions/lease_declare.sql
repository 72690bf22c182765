CREATE OR REPLACE FUNCTION coterie.lease_declare(p_names text[], p_class text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    WITH declared AS (
        -- A row is born in its era, also one that was swept away in an earlier one: no statement that slept since then takes it.
        INSERT INTO coterie.lease (name, class, token)
        SELECT DISTINCT name, p_class, coalesce((SELECT era FROM coterie.cluster), 0) << 40 FROM unnest(p_names) AS name
        ON CONFLICT (name) DO NOTHING
        RETURNING name
    ), told AS (
        INSERT INTO coterie.event (kind, subject) SELECT 'lease.declared', name FROM declared ORDER BY name RETURNING id
    )
    SELECT count(*) INTO made FROM told;

    -- Names that users made up, once each, would stay for ever. A row that nobody has held for a day is as good
    -- as none: tokens come from one counter, so they rise over the gap, and who wants the lease makes it again.
    WITH swept AS (
        DELETE FROM coterie.lease
        WHERE made > 0 AND name IN (SELECT name FROM coterie.lease
                                    WHERE class IS NULL AND node IS NULL AND goal IS NULL AND name !~ '/'
                                      AND greatest(freed_at, declared_at) < coterie.clock() - interval '1day'
                                    LIMIT 100
                                    FOR UPDATE SKIP LOCKED)
        RETURNING name
    )
    INSERT INTO coterie.event (kind, subject, rule, detail)
    SELECT 'lease.swept', min(name), 'taken by name only', jsonb_build_object('leases', count(*)) FROM swept HAVING count(*) > 0;
    RETURN made;
END $$;
COMMENT ON FUNCTION coterie.lease_declare(text[], text) IS 'Makes rows, free, for leases that have none; returns how many were new. Then it also sweeps away some that are taken by name only and that nobody has held for a day.';
REVOKE ALL ON FUNCTION coterie.lease_declare(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.lease_declare(text[], text) TO coterie_agent, coterie_operator;
