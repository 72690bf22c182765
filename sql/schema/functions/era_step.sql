CREATE OR REPLACE FUNCTION coterie.era_step(p_reason text, p_above bigint, p_by text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    before coterie.cluster;
    ended bigint;
BEGIN
    -- Who waited here for another step sees the new era, and finds nothing left to do.
    SELECT * INTO before FROM coterie.cluster FOR UPDATE;
    IF before.era > p_above AND before.timeline = coterie.timeline() AND before.history = coterie.history() THEN
        RETURN;
    END IF;
    UPDATE coterie.cluster
    SET era = greatest(era, p_above) + 1, era_since = coterie.clock(), era_reason = p_reason, era_settled = false,
        -- Before an era is settled somebody may still trust in the one before that.
        era_quiet = greatest((SELECT session_ttl FROM coterie.setting), (SELECT max(ttl) FROM coterie.session),
                             CASE WHEN NOT era_settled THEN era_quiet END),
        history = coterie.history(), timeline = coterie.timeline(),
        proved_by = pg_postmaster_start_time(), proved_in = pg_relation_filepath('coterie.cluster'::regclass);

    -- Two standbys, promoted one after the other from the same point, begin eras with one number. Tokens jump
    -- by the time of day, so that theirs differ, and a node that knows the higher ones shows it in era_check.
    PERFORM setval('coterie.token_seq', (SELECT last_value FROM coterie.token_seq)
                                        + 1000 + (extract(epoch FROM coterie.clock()) * 1000)::bigint % 16777216);

    -- What rows of the old era say about who holds what may be older than what the nodes know.
    UPDATE coterie.lease
    SET node = NULL, incarnation = NULL, acquired_at = NULL, from_node = node, freed_at = coterie.clock(), freed_by = 'crash'
    WHERE name IN (SELECT name FROM coterie.lease WHERE node IS NOT NULL FOR UPDATE SKIP LOCKED); -- without its session it is free all the same
    DELETE FROM coterie.session;
    GET DIAGNOSTICS ended = ROW_COUNT;
    INSERT INTO coterie.event (node, kind, subject, reason, detail)
    SELECT p_by, 'era.began', c.name, p_reason,
           jsonb_build_object('era', c.era, 'before', before.era, 'history', c.history, 'timeline', c.timeline, 'sessions_ended', ended)
    FROM coterie.cluster c;
END $$;
COMMENT ON FUNCTION coterie.era_step(text, bigint, text) IS
    'Begins an era above p_above and above the present one: ends all sessions, frees all leases, and grants nothing until trust in them is over.';
REVOKE ALL ON FUNCTION coterie.era_step(text, bigint, text) FROM PUBLIC;
