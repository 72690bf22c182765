CREATE OR REPLACE FUNCTION coterie.app_setup_declare(p_setup text, p_plan text, p_steps jsonb, p_change boolean, p_by text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was text;
    begun text;
BEGIN
    INSERT INTO coterie.app_setup (name, plan, declared_by) VALUES (p_setup, p_plan, p_by) ON CONFLICT (name) DO NOTHING;
    IF NOT FOUND THEN
        SELECT a.plan INTO was FROM coterie.app_setup a WHERE a.name = p_setup FOR UPDATE;
        IF was = p_plan THEN
            RETURN 'same';
        END IF;
        IF NOT p_change THEN
            RETURN 'other';
        END IF;
        -- What was done must have been what the new plan would have had done. A process that is
        -- silent may be put out: its number ends nothing any more.
        UPDATE coterie.app_step s SET state = 'failed', ended_at = coterie.clock()
        WHERE s.setup = p_setup AND s.state = 'doing' AND s.heard_at <= coterie.clock() - interval '12 seconds';
        SELECT s.name INTO begun FROM coterie.app_step s
        WHERE s.setup = p_setup AND s.state IN ('doing', 'done')
          AND NOT EXISTS (SELECT FROM jsonb_to_recordset(p_steps) AS n (name text, digest text) WHERE n.name = s.name AND n.digest = s.digest)
        ORDER BY s.place LIMIT 1;
        IF FOUND THEN
            RETURN 'begun ' || begun;
        END IF;
        UPDATE coterie.app_setup a SET plan = p_plan, declared_by = p_by, declared_at = coterie.clock() WHERE a.name = p_setup;
        DELETE FROM coterie.app_step s WHERE s.setup = p_setup AND s.state NOT IN ('doing', 'done');
    END IF;
    INSERT INTO coterie.app_step AS s (setup, name, place, node, verb, after, digest)
    SELECT p_setup, n.name, n.place, n.node, n.verb, n.after, n.digest
    FROM jsonb_to_recordset(p_steps) AS n (name text, place integer, node text, verb text, after text[], digest text)
    ON CONFLICT (setup, name) DO UPDATE SET place = excluded.place;
    INSERT INTO coterie.event (kind, subject, actor, detail)
    VALUES ('app.setup_declared', p_setup, p_by, jsonb_build_object('plan', p_plan, 'was', was, 'steps', jsonb_array_length(p_steps)));
    RETURN 'declared';
END $$;
COMMENT ON FUNCTION coterie.app_setup_declare(text, text, jsonb, boolean, text) IS
    'Declares a plan with its steps: declared; same when it is that already; other when one of that name says something else, and it is not to be changed; begun STEP when it is, and that step was done otherwise. What was not done, or is by a process that is silent, is taken from the new plan.';
REVOKE ALL ON FUNCTION coterie.app_setup_declare(text, text, jsonb, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_setup_declare(text, text, jsonb, boolean, text) TO coterie_agent, coterie_operator;
