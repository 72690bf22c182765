CREATE OR REPLACE FUNCTION coterie.migration_ask(p_plan text, p_manifest text, p_machine text, p_by text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    node_of text;
    was coterie.migration_reading;
BEGIN
    SELECT m.node INTO node_of FROM coterie.migration m WHERE m.plan = p_plan FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT r.* INTO was FROM coterie.migration_reading r WHERE r.plan = p_plan;
    -- What was read badly is read anew; all else is under way, or done.
    IF was.manifest = p_manifest AND was.state <> 'bad' THEN
        RETURN was.state;
    END IF;
    INSERT INTO coterie.migration_reading AS r (plan, manifest, machine)
    VALUES (p_plan, p_manifest, p_machine)
    ON CONFLICT (plan) DO UPDATE
    SET manifest = excluded.manifest, machine = excluded.machine, state = 'asked', node = NULL, incarnation = NULL, mark = NULL,
        files = 0, bytes = 0, message = '', asked_at = coterie.clock(), changed_at = coterie.clock();
    INSERT INTO coterie.event (node, kind, subject, actor) VALUES (node_of, 'migration.asked', p_plan, p_by);
    RETURN 'asked';
END $$;
COMMENT ON FUNCTION coterie.migration_ask(text, text, text, text) IS
    'Asks for the files of a plan to be read back from the share by the agent of another node than the host (machine) that moved them. Gives the state of the reading; null when nobody has heard of the plan. Asking again changes nothing unless the files were moved once more, or read badly.';
REVOKE ALL ON FUNCTION coterie.migration_ask(text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.migration_ask(text, text, text, text) TO coterie_agent, coterie_operator;
