CREATE OR REPLACE FUNCTION coterie.own_take_withdraw(p_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    withdrawn bigint;
BEGIN
    UPDATE coterie.own_take k SET state = 'withdrawn', moved_at = coterie.clock() WHERE k.id = ANY (p_ids) AND k.state IN ('asked', 'given');
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    IF withdrawn > 0 THEN -- the sources remove their copies
        INSERT INTO coterie.event (kind, subject, actor, detail) VALUES ('appdata.withdrawn', 'take', session_user, jsonb_build_object('requests', to_jsonb(p_ids[1:100])));
    END IF;
    RETURN withdrawn;
END $$;
COMMENT ON FUNCTION coterie.own_take_withdraw(bigint[]) IS 'An operator wants some files not taken any more; returns how many were not yet. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.own_take_withdraw(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.own_take_withdraw(bigint[]) TO coterie_operator;
