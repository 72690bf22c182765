CREATE OR REPLACE FUNCTION coterie.change_propose(p_key text, p_value text, p_by text, p_reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    would boolean;
    number bigint;
BEGIN
    -- One after another; whoever changes a setting waits too.
    PERFORM FROM coterie.setting FOR UPDATE;
    -- What could not be set is not proposed: it is set, and taken back.
    BEGIN
        would := coterie.setting_change(p_key, p_value, p_by, p_reason);
        RAISE EXCEPTION USING ERRCODE = 'CT060';
    EXCEPTION WHEN SQLSTATE 'CT060' THEN
        NULL;
    END;
    IF NOT would THEN
        RETURN NULL;
    END IF;
    SELECT c.id INTO number FROM coterie.change c WHERE c.state = 'pending' AND c.key = p_key AND c.value = p_value::interval;
    IF FOUND THEN
        RETURN number;
    END IF;
    IF (SELECT count(*) FROM coterie.change c WHERE c.state = 'pending') >= 100 THEN
        RAISE EXCEPTION '100 changes wait already' USING ERRCODE = 'CT061';
    END IF;
    DELETE FROM coterie.change c USING coterie.setting s WHERE c.decided_at < coterie.clock() - s.keep_events;
    INSERT INTO coterie.change (key, value, proposed_by, reason)
    VALUES (p_key, p_value::interval, left(p_by, 200), nullif(left(p_reason, 2000), ''))
    RETURNING id INTO number;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('change.proposed', p_key, nullif(left(p_reason, 2000), ''), jsonb_build_object('id', number, 'by', p_by, 'to', p_value::interval));
    RETURN number;
END $$;
COMMENT ON FUNCTION coterie.change_propose(text, text, text, text) IS
    'Somebody who may not change settings proposes a change of one; its number, that of the same change if it waits already, null when the setting has that value. What coterie.setting_change would refuse is refused.';
REVOKE ALL ON FUNCTION coterie.change_propose(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.change_propose(text, text, text, text) TO coterie_agent, coterie_operator;
