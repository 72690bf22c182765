CREATE OR REPLACE FUNCTION coterie.run_close_lost(p_open coterie.run, p_by coterie.session) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    told text := format('%s lost the lease (token %s) before it ended this run; %s closed it', p_open.node, p_open.token, p_by.node);
BEGIN
    UPDATE coterie.run r
    SET outcome = 'lost', finished_at = greatest(r.started_at, coterie.clock()), reason = told
    WHERE r.job = p_open.job AND r.due_at = p_open.due_at AND r.token = p_open.token AND r.outcome = 'running';
    IF FOUND THEN
        INSERT INTO coterie.event (node, kind, subject, token, peer, since, reason, detail)
        VALUES (p_by.node, 'run.lost', 'job/' || p_open.job, p_open.token, p_open.node, p_open.started_at, told,
                jsonb_build_object('due_at', p_open.due_at));
        PERFORM coterie.run_trouble(p_open.job, p_open.due_at, p_open.attempt, 'lost', p_by.node, told, 1);
        PERFORM nextval('coterie.run_seq');
    END IF;
END $$;
COMMENT ON FUNCTION coterie.run_close_lost(coterie.run, coterie.session) IS
    'Closes the open run of a former holder as lost: its outcome is unknown and will stay so.';
REVOKE ALL ON FUNCTION coterie.run_close_lost(coterie.run, coterie.session) FROM PUBLIC;
