CREATE OR REPLACE FUNCTION coterie.run_accounted(p_job text) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- Runs that people asked for stand between the slots and account for none.
    SELECT coalesce((SELECT r.due_at FROM coterie.run r
                     WHERE r.job = p_job AND r.requested_by IS NULL
                     ORDER BY r.due_at DESC LIMIT 1), '-infinity')
$$;
COMMENT ON FUNCTION coterie.run_accounted(text) IS 'The last slot of a job that has its row: everything up to it is accounted for.';
REVOKE ALL ON FUNCTION coterie.run_accounted(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.run_accounted(text) TO coterie_operator;
