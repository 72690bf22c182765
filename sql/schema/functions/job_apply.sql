CREATE OR REPLACE FUNCTION coterie.job_apply(p_change jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    number bigint;
    said jsonb;
    old coterie.job;
    new coterie.job;
    wanted text;
BEGIN
    -- Sequential scans are off because a plan lives as long as its session: one that was made while there were no
    -- jobs would read all of them for each that is applied.
    -- One application at a time; nodes see all of it or nothing.
    UPDATE coterie.job_change SET generation = generation + 1 RETURNING generation INTO number;
    -- Whoever asserted a lease and does not end his transaction must not keep an operator waiting.
    PERFORM set_config('lock_timeout', '2s', true);

    FOR said IN SELECT value FROM jsonb_array_elements(coalesce(p_change->'set', '[]')) LOOP
        SELECT j.* INTO old FROM coterie.job j WHERE j.name = said->>'name';
        new := coterie.job_from(said, old, number);
        CONTINUE WHEN old.name IS NOT NULL AND old.generation = new.generation; -- as wanted already
        PERFORM coterie.job_unmoved(said, old);
        IF old.enabled AND (new.since > old.since OR NOT new.enabled) THEN
            PERFORM coterie.job_settle(said, old, CASE WHEN new.enabled THEN 'changed' ELSE 'switched off' END);
        END IF;

        IF new.group_name IS NOT NULL THEN
            INSERT INTO coterie.job_group AS g (name, runs_at_once) VALUES (new.group_name, (said->>'group_limit')::int)
            ON CONFLICT (name) DO UPDATE SET runs_at_once = excluded.runs_at_once WHERE g.runs_at_once <> excluded.runs_at_once;
        END IF;
        -- Updated in place, so that a request which waits stays.
        IF old.name IS NULL THEN
            INSERT INTO coterie.job SELECT new.*;
        ELSE
            UPDATE coterie.job j
            SET schedule = new.schedule, time_zone = new.time_zone, gap = new.gap, fold = new.fold, starts_at = new.starts_at,
                ends_at = new.ends_at, jitter = new.jitter, exceptions = new.exceptions, action = new.action,
                timeout = new.timeout, stop_grace = new.stop_grace, overlap = new.overlap, misfire = new.misfire,
                misfire_limit = new.misfire_limit, catch_up = new.catch_up, retries = new.retries,
                retry_after = new.retry_after, retry_max = new.retry_max, on_lost = new.on_lost, while_away = new.while_away, priority = new.priority,
                group_name = new.group_name, requires = new.requires, prefers = new.prefers, apart = new.apart, params = new.params,
                keep = new.keep, long_after = new.long_after, queue = new.queue, enabled = new.enabled,
                every = new.every, since = new.since, first_due_at = new.first_due_at, generation = new.generation,
                changed_by = new.changed_by, changed_at = new.changed_at
            WHERE j.name = new.name;
        END IF;
        -- A disabled job's lease has no class, so that no node takes it and its holder hands it back; so has one whose
        -- runs are taken from the queue, each under a lease of its own. The row is locked only when it changes.
        wanted := CASE WHEN new.enabled AND NOT new.queue THEN coterie.job_class(new.action, new.requires) END;
        INSERT INTO coterie.lease (name, class, likes, apart) VALUES ('job/' || new.name, wanted, new.prefers, new.apart) ON CONFLICT (name) DO NOTHING;
        UPDATE coterie.lease l SET class = wanted, likes = new.prefers, apart = new.apart
        WHERE l.name = 'job/' || new.name AND (l.class, l.likes, l.apart) IS DISTINCT FROM (wanted, new.prefers, new.apart);
        INSERT INTO coterie.event (kind, subject, reason, detail)
        VALUES (CASE WHEN old.name IS NULL THEN 'job.created' ELSE 'job.changed' END, 'job/' || new.name, p_change->>'reason',
                jsonb_strip_nulls(jsonb_build_object('old', to_jsonb(old), 'new', to_jsonb(new))));
    END LOOP;

    FOR said IN SELECT value FROM jsonb_array_elements(coalesce(p_change->'remove', '[]')) LOOP
        SELECT j.* INTO old FROM coterie.job j WHERE j.name = said->>'name';
        CONTINUE WHEN NOT FOUND;
        PERFORM coterie.job_unmoved(said, old);
        IF old.enabled THEN
            PERFORM coterie.job_settle(said, old, 'removed');
        END IF;
        DELETE FROM coterie.job j WHERE j.name = old.name;
        UPDATE coterie.lease l SET class = NULL WHERE l.name = 'job/' || old.name;
        INSERT INTO coterie.event (kind, subject, reason, detail)
        VALUES ('job.removed', 'job/' || old.name, p_change->>'reason', jsonb_build_object('old', to_jsonb(old)));
    END LOOP;

    DELETE FROM coterie.job_group g WHERE NOT EXISTS (SELECT FROM coterie.job j WHERE j.group_name = g.name);
    -- A lease that is still held when its job is removed goes with a later application: it has had no class since then,
    -- as few others.
    DELETE FROM coterie.lease
    WHERE name IN (SELECT l.name FROM coterie.lease l
                   WHERE l.name LIKE 'job/%' AND l.node IS NULL AND l.class IS NULL
                     AND NOT EXISTS (SELECT FROM coterie.job j WHERE 'job/' || j.name = l.name)
                   FOR UPDATE SKIP LOCKED);
    RETURN number;
END $$;
COMMENT ON FUNCTION coterie.job_apply(jsonb) IS
    'Applies definitions as one change: {"set": [{"name", "schedule", "action", "generation", and what else is a column of coterie.job, durations as NAME_ms}], "remove": [{"name", "generation"}], "reason"}. What is left out is at its default; owed are the slots that are due and may have no row yet ({"due_at", "more"}), which get one when the change takes them from the schedule. generation is that of the row which the caller saw, 0 for none; raises CT020 when it is another by now. What is as wanted already is passed over. Returns the number of the change.';
REVOKE ALL ON FUNCTION coterie.job_apply(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_apply(jsonb) TO coterie_operator;
