-- after views/runs.sql
CREATE OR REPLACE FUNCTION coterie.runs_recent(p_most integer) RETURNS SETOF coterie.runs
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET enable_seqscan = off AS $$
DECLARE
    -- Taken once: what moves cannot be looked up in an index.
    until_at timestamptz := coterie.clock() + interval '1min';
    from_at timestamptz;
    span interval;
    there bigint;
BEGIN
    -- How far back one must look depends on how much happens: a second of much, or a day of little.
    FOREACH span IN ARRAY ARRAY['1s', '10s', '1min', '10min', '1h', '6h', '1 day']::interval[] LOOP
        from_at := until_at - interval '1min' - span;
        SELECT count(*) INTO there FROM (SELECT FROM coterie.run r WHERE r.due_at > from_at AND r.due_at <= until_at LIMIT p_most) AS found;
        EXIT WHEN there >= p_most;
    END LOOP;
    RETURN QUERY
    SELECT v.* FROM coterie.runs v
    WHERE v.due_at > from_at AND v.due_at <= until_at
    ORDER BY v.due_at DESC LIMIT p_most;
END $$;
COMMENT ON FUNCTION coterie.runs_recent(integer) IS 'The latest runs of all jobs, a day old at most.';
REVOKE ALL ON FUNCTION coterie.runs_recent(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.runs_recent(integer) TO coterie_reader;
