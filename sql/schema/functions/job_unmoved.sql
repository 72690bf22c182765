CREATE OR REPLACE FUNCTION coterie.job_unmoved(p_said jsonb, p_old coterie.job) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    IF coalesce(p_old.generation, 0) <> coalesce((p_said->>'generation')::bigint, 0) THEN
        RAISE EXCEPTION 'job % was changed meanwhile by %', quote_literal(p_said->>'name'), coalesce(p_old.changed_by, 'somebody')
            USING ERRCODE = 'CT020', HINT = 'Look at the difference again, then apply.';
    END IF;
END $$;
COMMENT ON FUNCTION coterie.job_unmoved(jsonb, coterie.job) IS
    'Raises CT020 unless a definition is still as the caller saw it.';
REVOKE ALL ON FUNCTION coterie.job_unmoved(jsonb, coterie.job) FROM PUBLIC;
