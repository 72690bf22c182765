CREATE OR REPLACE FUNCTION coterie.era_check(p_mark bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    c coterie.cluster;
BEGIN
    SELECT * INTO c FROM coterie.cluster;
    IF NOT coalesce(coterie.era_proved(c), false) THEN
        IF c.timeline <> coterie.timeline() THEN
            PERFORM coterie.era_step(format('the timeline was %s and is %s: a standby was promoted or a backup restored', c.timeline, coterie.timeline()), p_mark >> 40, NULL);
        ELSIF c.history <> coterie.history() THEN
            PERFORM coterie.era_step('this is another server, database or schema than before: a clone or a restored dump', p_mark >> 40, NULL);
        END IF;
        -- The server was started anew, or its era has just begun: known from now on, until it ends.
        UPDATE coterie.cluster u SET proved_by = pg_postmaster_start_time(), proved_in = pg_relation_filepath('coterie.cluster'::regclass)
        WHERE NOT coalesce(coterie.era_proved(u), false) AND u.timeline = coterie.timeline() AND u.history = coterie.history();
    END IF;
    IF p_mark > coterie.last_token() THEN
        PERFORM coterie.era_step(format('a token %s was given that this database does not know: its history was cut', p_mark), p_mark >> 40, NULL);
    END IF;
END $$;
COMMENT ON FUNCTION coterie.era_check(bigint) IS 'Begins a new era when this database is not, or no longer, the one that the present era belongs to; p_mark is the highest token that the caller knows of.';
REVOKE ALL ON FUNCTION coterie.era_check(bigint) FROM PUBLIC;
