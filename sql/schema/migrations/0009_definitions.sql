-- What jobs are given, how long their history is kept, and what counts as too long.

-- Values that a job hands to its action. What they mean, and whether they are permitted, the action of a node
-- says; here they are only bounded: nothing that is named here becomes a program or the name of one.
CREATE FUNCTION coterie.params_are_bounded(p_params jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT jsonb_typeof(p_params) = 'object' AND (
        SELECT count(*) <= 32 AND coalesce(bool_and(
            p.key ~ '^[a-z][a-z0-9_]{0,31}$' AND jsonb_typeof(p.value) = 'string'
            AND octet_length(p.value #>> '{}') <= 1000 AND (p.value #>> '{}') !~ '[[:cntrl:]]'), true)
        FROM jsonb_each(CASE jsonb_typeof(p_params) WHEN 'object' THEN p_params ELSE '{}' END) AS p (key, value))
$$;
COMMENT ON FUNCTION coterie.params_are_bounded(jsonb) IS
    'Whether parameters are at most 32 texts with plain names, each at most 1000 bytes without control characters.';
REVOKE ALL ON FUNCTION coterie.params_are_bounded(jsonb) FROM PUBLIC;

ALTER TABLE coterie.job
    ADD COLUMN params jsonb NOT NULL DEFAULT '{}' CONSTRAINT params_bounded CHECK (coterie.params_are_bounded(params)),
    ADD COLUMN keep interval CHECK (keep BETWEEN '1h' AND '36500 days'),
    ADD COLUMN long_after interval CHECK (long_after > '0'),
    ADD COLUMN queue boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN coterie.job.params IS 'What its runs hand to the action, unless a request says otherwise.';
COMMENT ON COLUMN coterie.job.keep IS 'How long its runs are kept; null: as the setting keep_runs says.';
COMMENT ON COLUMN coterie.job.long_after IS 'From when on a run is called long-running; null: never.';
COMMENT ON COLUMN coterie.job.queue IS 'True: it has no schedule; each request of it is a run of its own, for any node that has room.';
