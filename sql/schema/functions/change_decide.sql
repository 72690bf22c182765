CREATE OR REPLACE FUNCTION coterie.change_decide(p_id bigint, p_state coterie.change_state, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    asked coterie.change;
BEGIN
    IF p_state = 'pending' THEN
        RAISE EXCEPTION 'a change is applied or rejected' USING ERRCODE = '22023';
    END IF;
    -- Settings first, as whoever proposes has it.
    PERFORM FROM coterie.setting FOR UPDATE;
    SELECT * INTO asked FROM coterie.change c WHERE c.id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody proposed a change %', p_id USING ERRCODE = 'CT062';
    END IF;
    IF asked.state = p_state THEN
        RETURN false;
    END IF;
    IF asked.state <> 'pending' THEN
        RAISE EXCEPTION 'change % was % by % at %', p_id, asked.state, asked.decided_by, to_char(asked.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
            USING ERRCODE = 'CT062';
    END IF;
    IF p_state = 'applied' THEN
        -- Its constraints are asked again: the others may have changed since.
        PERFORM coterie.setting_change(asked.key, asked.value::text, p_by, coalesce(nullif(p_reason, ''), asked.reason));
    END IF;
    UPDATE coterie.change c
    SET state = p_state, decided_at = coterie.clock(), decided_by = left(p_by, 200), answer = nullif(left(p_reason, 2000), '')
    WHERE c.id = p_id;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('change.' || p_state, asked.key, nullif(left(p_reason, 2000), ''),
            jsonb_build_object('id', p_id, 'by', p_by, 'proposed_by', asked.proposed_by, 'to', asked.value));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.change_decide(bigint, coterie.change_state, text, text) IS
    'An operator applies a change that was proposed, or rejects it; false when it is that already. CT062 when there is none of that number, or it was decided otherwise.';
REVOKE ALL ON FUNCTION coterie.change_decide(bigint, coterie.change_state, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.change_decide(bigint, coterie.change_state, text, text) TO coterie_operator;
