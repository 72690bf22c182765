CREATE OR REPLACE FUNCTION coterie.cluster_init(p_name text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    found_name text;
    found_id uuid;
BEGIN
    INSERT INTO coterie.cluster (name, history, timeline, proved_by, proved_in)
    VALUES (p_name, coterie.history(), coterie.timeline(), pg_postmaster_start_time(), pg_relation_filepath('coterie.cluster'::regclass))
    ON CONFLICT (one) DO NOTHING
    RETURNING id INTO found_id;
    IF FOUND THEN
        INSERT INTO coterie.event (kind, subject) VALUES ('cluster.initialised', p_name);
    END IF;
    INSERT INTO coterie.setting DEFAULT VALUES ON CONFLICT (one) DO NOTHING;
    SELECT name, id INTO found_name, found_id FROM coterie.cluster;
    IF found_name <> p_name THEN
        RAISE EXCEPTION 'this database holds the cluster %', quote_literal(found_name) USING ERRCODE = 'CT010';
    END IF;
    RETURN found_id;
END $$;
COMMENT ON FUNCTION coterie.cluster_init(text) IS 'Makes the cluster''s row and its settings; raises CT010 when the database already holds another cluster. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.cluster_init(text) FROM PUBLIC;
