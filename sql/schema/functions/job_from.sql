CREATE OR REPLACE FUNCTION coterie.job_from(p_said jsonb, p_old coterie.job, p_number bigint) RETURNS coterie.job
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    new coterie.job;
BEGIN
    new.name := p_said->>'name';
    new.schedule := p_said->>'schedule';
    new.time_zone := coalesce(p_said->>'time_zone', 'UTC');
    new.action := p_said->>'action';
    new.timeout := (p_said->>'timeout_ms')::bigint * interval '1ms';
    new.overlap := coalesce(p_said->>'overlap', 'skip');
    new.misfire := coalesce(p_said->>'misfire', 'once');
    new.enabled := coalesce((p_said->>'enabled')::boolean, true);
    new.every := (p_said->>'every_ms')::bigint * interval '1ms';
    new.gap := coalesce(p_said->>'gap', 'auto');
    new.fold := coalesce(p_said->>'fold', 'auto');
    new.starts_at := (p_said->>'starts_at')::timestamptz;
    new.ends_at := (p_said->>'ends_at')::timestamptz;
    new.jitter := (p_said->>'jitter_ms')::bigint * interval '1ms';
    new.exceptions := ARRAY(SELECT jsonb_array_elements_text(coalesce(p_said->'exceptions', '[]')));
    new.stop_grace := (p_said->>'stop_grace_ms')::bigint * interval '1ms';
    new.misfire_limit := (p_said->>'misfire_limit')::smallint;
    new.catch_up := (p_said->>'catch_up_ms')::bigint * interval '1ms';
    new.retries := coalesce((p_said->>'retries')::smallint, 0);
    new.retry_after := (p_said->>'retry_after_ms')::bigint * interval '1ms';
    new.retry_max := (p_said->>'retry_max_ms')::bigint * interval '1ms';
    new.on_lost := coalesce(p_said->>'on_lost', 'record');
    new.while_away := coalesce(p_said->>'while_away', 'stop');
    new.priority := coalesce((p_said->>'priority')::smallint, 0);
    new.group_name := p_said->>'group_name';
    new.requires := ARRAY(SELECT jsonb_array_elements_text(coalesce(p_said->'requires', '[]')));
    new.prefers := ARRAY(SELECT jsonb_array_elements_text(coalesce(p_said->'prefers', '[]')));
    new.apart := p_said->>'apart';
    new.params := coalesce(p_said->'params', '{}');
    new.keep := (p_said->>'keep_ms')::bigint * interval '1ms';
    new.long_after := (p_said->>'long_after_ms')::bigint * interval '1ms';
    new.queue := coalesce((p_said->>'queue')::boolean, false);
    -- What is not of the definition stays as it was.
    new.paused_at := p_old.paused_at;
    new.unpaused_at := p_old.unpaused_at;
    new.paused_by := p_old.paused_by;
    new.paused_reason := p_old.paused_reason;
    new.since := p_old.since;
    new.first_due_at := p_old.first_due_at;
    new.generation := p_old.generation;
    new.changed_by := p_old.changed_by;
    new.changed_at := p_old.changed_at;
    IF to_jsonb(new) - 'every' = to_jsonb(p_old) - 'every'
       AND (p_said->>'group_limit')::int IS NOT DISTINCT FROM (SELECT g.runs_at_once FROM coterie.job_group g WHERE g.name = new.group_name) THEN
        RETURN p_old;
    END IF;

    new.generation := p_number;
    new.changed_by := session_user;
    new.changed_at := coterie.clock();
    -- Another schedule, or the same after a rest, owes nothing of the time before.
    IF p_old.name IS NULL OR (new.enabled AND NOT p_old.enabled)
       OR (new.schedule, new.time_zone, new.gap, new.fold, new.starts_at, new.ends_at, new.jitter, new.exceptions)
          IS DISTINCT FROM (p_old.schedule, p_old.time_zone, p_old.gap, p_old.fold, p_old.starts_at, p_old.ends_at, p_old.jitter, p_old.exceptions) THEN
        new.since := least(coalesce((p_said->>'since')::timestamptz, coterie.clock()), coterie.clock());
        IF new.since < coterie.clock() - interval '1min' THEN
            RAISE EXCEPTION 'job % cannot owe slots since %: that is over', new.name, new.since
                USING ERRCODE = 'CT021', HINT = 'Read coterie.clock() and apply again.';
        END IF;
        new.first_due_at := (p_said->>'first_due_at')::timestamptz;
    END IF;
    RETURN new;
END $$;
COMMENT ON FUNCTION coterie.job_from(jsonb, coterie.job, bigint) IS
    'The row that a definition asks for; the old row itself when it says the same.';
REVOKE ALL ON FUNCTION coterie.job_from(jsonb, coterie.job, bigint) FROM PUBLIC;
