CREATE OR REPLACE FUNCTION coterie.run_fence(p_job text, p_token bigint) RETURNS coterie.session
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    held coterie.session := coterie.run_holder(p_job, p_token);
BEGIN
    IF held.node IS NULL THEN
        RAISE EXCEPTION 'lease % is not held by this login with token %', quote_literal('job/' || left(p_job, 80)), p_token
            USING ERRCODE = 'CT001', HINT = 'Stop: another holder may be at work. See coterie.leases.';
    END IF;
    RETURN held;
END $$;
COMMENT ON FUNCTION coterie.run_fence(text, bigint) IS 'Like run_holder, but raises CT001 where that is null.';
REVOKE ALL ON FUNCTION coterie.run_fence(text, bigint) FROM PUBLIC;
