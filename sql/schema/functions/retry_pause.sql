CREATE OR REPLACE FUNCTION coterie.retry_pause(p_job coterie.job, p_due_at timestamptz, p_attempt integer) RETURNS interval
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    -- As the runner of a scheduled job reckons: twice as long each time, and a fifth more or less, which follows from the slot.
    SELECT least(coalesce(p_job.retry_after, '10s') * 2 ^ least(p_attempt - 2, 30), coalesce(p_job.retry_max, '1h'))
           * (0.8 + (hashtext(p_job.name || p_due_at::text || p_attempt) & 1023) / 2560.0)
$$;
COMMENT ON FUNCTION coterie.retry_pause(coterie.job, timestamptz, integer) IS 'How long to wait before an attempt, from the second on, after the one before has failed.';
REVOKE ALL ON FUNCTION coterie.retry_pause(coterie.job, timestamptz, integer) FROM PUBLIC;
