CREATE OR REPLACE FUNCTION coterie.findings_of_jobs() RETURNS SETOF coterie.finding
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT 'COT-514', 'warning', 'jobs', c.paused_at,
           format('all jobs are paused by %s%s', coalesce(c.paused_by, 'somebody'), coalesce(': ' || c.paused_reason, '')),
           'coterie unpause --jobs'
    FROM coterie.job_change c WHERE c.paused_at IS NOT NULL AND c.unpaused_at IS NULL;
    IF EXISTS (SELECT FROM coterie.job) THEN
        RETURN QUERY
        WITH alive AS (
            SELECT s.node AS name FROM coterie.session s WHERE s.expires_at > coterie.clock()
        ), job AS (
            SELECT j.name, j.action, j.enabled, j.next_due_at, j.last_due_at, j.overdue, j.running_since, j.failures_in_row, j.message, j.changed_at, j.requires
            FROM coterie.jobs j
        )
        SELECT 'COT-514', 'note', p.name, p.paused_at,
               format('%s is paused by %s%s', p.name, coalesce(p.paused_by, 'somebody'), coalesce(': ' || p.paused_reason, '')),
               format('coterie unpause %s', p.name)
        FROM coterie.job p WHERE p.paused_at IS NOT NULL AND p.unpaused_at IS NULL
        UNION ALL
        SELECT 'COT-511', 'error', j.name, j.next_due_at,
               format('%s is overdue%s', j.name, coalesce(': ' || nullif(j.message, ''), '')), format('coterie jobs %s', j.name)
        FROM job j WHERE j.overdue AND j.running_since IS NULL
        UNION ALL
        SELECT 'COT-512', 'warning', j.name, j.last_due_at,
               format('%s failed %s times in a row: %s', j.name, j.failures_in_row, j.message), format('coterie jobs %s', j.name)
        FROM job j WHERE j.failures_in_row >= 3
        UNION ALL
        SELECT 'COT-513', 'error', j.name, j.changed_at,
               format('%s: no living node takes it, because none that is ready has the action %s%s', j.name, j.action,
                      CASE WHEN j.requires <> '{}' THEN format(' and the tags %s', array_to_string(j.requires, ', ')) END),
               CASE WHEN j.requires = '{}' THEN format('define the action %s in the configuration of a node, or resume a node that has it', j.action)
                    ELSE format('give a node the action %s and the tags %s (node.tags), or resume one that has them', j.action, array_to_string(j.requires, ', ')) END
        FROM job j
        LEFT JOIN coterie.lease l ON l.name = 'job/' || j.name
        WHERE j.enabled AND j.name NOT LIKE 'coterie.%' AND EXISTS (SELECT FROM alive)
          AND NOT EXISTS (SELECT FROM coterie.session s WHERE coalesce(l.class, coterie.job_class(j.action, j.requires)) = ANY (s.takes) AND s.expires_at > coterie.clock());
    END IF;
END $$;
COMMENT ON FUNCTION coterie.findings_of_jobs() IS 'Open problems of jobs.';
REVOKE ALL ON FUNCTION coterie.findings_of_jobs() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.findings_of_jobs() TO coterie_reader;
