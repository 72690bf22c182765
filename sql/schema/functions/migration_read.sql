CREATE OR REPLACE FUNCTION coterie.migration_read(p_plan text, p_reader text, p_well boolean, p_message text, p_by text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    node_of text;
BEGIN
    UPDATE coterie.migration m
    SET read_by = CASE WHEN p_well THEN (SELECT array_agg(DISTINCT r ORDER BY r) FROM unnest(m.read_by || p_reader) AS r) ELSE array_remove(m.read_by, p_reader) END,
        changed_at = coterie.clock()
    WHERE m.plan = p_plan
    RETURNING m.node INTO node_of;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO coterie.event (node, kind, subject, actor, peer, reason, detail)
    VALUES (node_of, 'migration.read', p_plan, p_by, p_reader, nullif(left(p_message, 2000), ''), jsonb_build_object('well', p_well));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.migration_read(text, text, boolean, text, text) IS
    'A host has read from the share what a plan has moved there, and found it well or not. False when nobody has heard of the plan.';
REVOKE ALL ON FUNCTION coterie.migration_read(text, text, boolean, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.migration_read(text, text, boolean, text, text) TO coterie_agent, coterie_operator;
