CREATE OR REPLACE FUNCTION coterie.migration_claim(p_node text, p_incarnation bigint, p_machine text, p_not text[])
RETURNS TABLE (plan text, manifest text, mark jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
#variable_conflict use_column
DECLARE
    was coterie.migration_reading;
BEGIN
    -- Nearly always there is none, and that is to cost nobody anything.
    IF NOT EXISTS (SELECT FROM coterie.migration_reading r WHERE r.state IN ('asked', 'reading')) THEN
        RETURN;
    END IF;
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.expires_at > coterie.clock() AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT r.* INTO was
    FROM coterie.migration_reading r JOIN coterie.migration m ON m.plan = r.plan
    WHERE r.state IN ('asked', 'reading') AND r.machine <> p_machine AND m.node <> p_node AND NOT r.plan = ANY (p_not)
      AND (r.state = 'asked' OR (r.node, r.incarnation) = (p_node, p_incarnation)
           OR NOT EXISTS (SELECT FROM coterie.session s WHERE s.node = r.node AND s.incarnation = r.incarnation AND s.expires_at > coterie.clock()))
    ORDER BY r.asked_at, r.plan
    LIMIT 1
    FOR UPDATE OF r SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- What another host has read says nothing of this one's mount.
    IF was.node IS DISTINCT FROM p_node THEN
        was.mark := NULL;
    END IF;
    UPDATE coterie.migration_reading r
    SET state = 'reading', node = p_node, incarnation = p_incarnation, mark = was.mark, changed_at = coterie.clock(),
        files = CASE WHEN was.mark IS NULL THEN 0 ELSE r.files END, bytes = CASE WHEN was.mark IS NULL THEN 0 ELSE r.bytes END
    WHERE r.plan = was.plan;
    -- What is tried again and again is told once.
    IF was.message = '' AND (was.state, was.node, was.incarnation) IS DISTINCT FROM ('reading', p_node, p_incarnation) THEN
        INSERT INTO coterie.event (node, kind, subject, detail)
        VALUES (p_node, 'migration.reading', was.plan, jsonb_build_object('on', was.mark IS NOT NULL));
    END IF;
    RETURN QUERY SELECT was.plan, was.manifest, was.mark;
END $$;
COMMENT ON FUNCTION coterie.migration_claim(text, bigint, text, text[]) IS
    'A node takes it upon itself to read back what a plan has moved, from where it was when it did so before. No row when nothing is to be read by its host, or only plans that it names. What a node has that is gone is free for others.';
REVOKE ALL ON FUNCTION coterie.migration_claim(text, bigint, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.migration_claim(text, bigint, text, text[]) TO coterie_agent;
