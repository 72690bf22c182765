CREATE OR REPLACE FUNCTION coterie.migration_tell(p_plan text, p_node text, p_source text, p_target text, p_phase text, p_done bigint[], p_message text, p_by text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was coterie.migration;
BEGIN
    SELECT m.* INTO was FROM coterie.migration m WHERE m.plan = p_plan FOR UPDATE;
    INSERT INTO coterie.migration AS m (plan, node, source, target, phase, files_done, files_total, bytes_done, bytes_total, message)
    VALUES (p_plan, p_node, p_source, p_target, p_phase, p_done[1], p_done[2], p_done[3], p_done[4], left(p_message, 2000))
    ON CONFLICT (plan) DO UPDATE
    SET node = excluded.node, source = excluded.source, target = excluded.target, phase = excluded.phase, files_done = excluded.files_done,
        files_total = excluded.files_total, bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total,
        message = excluded.message, changed_at = coterie.clock();
    IF p_phase IN ('rolling back', 'rolled back') THEN -- there is nothing left to be read
        DELETE FROM coterie.migration_reading r WHERE r.plan = p_plan;
    END IF;
    IF was.phase IS DISTINCT FROM p_phase OR was.message IS DISTINCT FROM left(p_message, 2000) THEN
        INSERT INTO coterie.event (node, kind, subject, actor, reason, detail)
        VALUES (p_node, 'migration.moved', p_plan, p_by, nullif(left(p_message, 2000), ''), jsonb_build_object('phase', p_phase, 'source', p_source, 'target', p_target));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.migration_tell(text, text, text, text, text, bigint[], text, text) IS
    'Says how far a migration is: its plan, node, source, target and phase; files done and in all, bytes done and in all; what stopped it; who does it. Saying the same again changes nothing but the time.';
REVOKE ALL ON FUNCTION coterie.migration_tell(text, text, text, text, text, bigint[], text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.migration_tell(text, text, text, text, text, bigint[], text, text) TO coterie_agent, coterie_operator;
