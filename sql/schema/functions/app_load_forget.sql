CREATE OR REPLACE FUNCTION coterie.app_load_forget(p_path text, p_by text, p_reason text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    WITH gone AS (
        DELETE FROM coterie.app_load l WHERE l.path = p_path RETURNING l.node, l.path, l.digest, l.state
    ), said AS (
        INSERT INTO coterie.event (node, kind, subject, actor, reason, detail)
        SELECT g.node, 'app.load_forgotten', g.path, p_by, nullif(p_reason, ''), jsonb_build_object('digest', g.digest, 'state', g.state) FROM gone g
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION coterie.app_load_forget(text, text, text) IS
    'An operator says that a load file is to be loaded again, or by another node: whoever takes it next has it. How many contents of that path were known.';
REVOKE ALL ON FUNCTION coterie.app_load_forget(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_load_forget(text, text, text) TO coterie_operator;
