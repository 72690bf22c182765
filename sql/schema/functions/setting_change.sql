CREATE OR REPLACE FUNCTION coterie.setting_change(p_key text, p_value text, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    old coterie.setting;
    new coterie.setting;
    wanted interval;
BEGIN
    IF p_key NOT IN ('session_ttl', 'heartbeat', 'margin', 'keep_runs', 'keep_events', 'trust_overlap', 'trust_linger') THEN
        RAISE EXCEPTION 'no setting %', quote_literal(left(p_key, 80)) USING ERRCODE = 'CT012';
    END IF;
    BEGIN
        wanted := p_value::interval;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION '% is not a duration', quote_literal(left(p_value, 80)) USING ERRCODE = 'CT013', HINT = 'Write it like 6s or 1500ms.';
    END;
    -- A new era counts by the terms that there were.
    PERFORM coterie.era_check(0);
    SELECT * INTO old FROM coterie.setting FOR UPDATE;
    new := old;
    CASE p_key
        WHEN 'session_ttl' THEN new.session_ttl := wanted;
        WHEN 'heartbeat' THEN new.heartbeat := wanted;
        WHEN 'margin' THEN new.margin := wanted;
        WHEN 'keep_runs' THEN new.keep_runs := wanted;
        WHEN 'keep_events' THEN new.keep_events := wanted;
        WHEN 'trust_overlap' THEN new.trust_overlap := wanted;
        WHEN 'trust_linger' THEN new.trust_linger := wanted;
    END CASE;
    IF new = old THEN
        RETURN false;
    END IF;
    UPDATE coterie.setting
    SET session_ttl = new.session_ttl, heartbeat = new.heartbeat, margin = new.margin, keep_runs = new.keep_runs, keep_events = new.keep_events,
        trust_overlap = new.trust_overlap, trust_linger = new.trust_linger,
        generation = generation + 1, changed_by = session_user, changed_at = coterie.clock();
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('setting.changed', p_key, nullif(p_reason, ''),
            jsonb_build_object('by', p_by, 'from', to_jsonb(old) ->> p_key, 'to', wanted));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.setting_change(text, text, text, text) IS
    'An operator changes a cluster-wide setting; false when it was that already. The constraints of coterie.setting refuse what does not fit together.';
REVOKE ALL ON FUNCTION coterie.setting_change(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.setting_change(text, text, text, text) TO coterie_operator;
