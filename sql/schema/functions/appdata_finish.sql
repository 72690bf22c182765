CREATE OR REPLACE FUNCTION coterie.appdata_finish(p_tree text, p_scan bigint, p_held bigint, p_sample text[], p_shown bigint DEFAULT 0)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    t coterie.appdata_tree;
    root coterie.appdata_folder;
    this_moment timestamptz := coterie.clock();
    unsettled boolean;
BEGIN
    SELECT x.* INTO t FROM coterie.appdata_tree x WHERE x.name = p_tree FOR UPDATE;
    IF NOT FOUND OR t.scan <> p_scan THEN
        RETURN false;
    END IF;
    SELECT f.* INTO root FROM coterie.appdata_folder f WHERE f.tree = t.id AND f.path = '.';
    -- What was not listed, and was there when it was asked for, as a client shows it that
    -- remembers: nothing is settled, and an operator's word is not used up.
    unsettled := p_held = 0 AND p_shown > 0 AND t.accepted > 0;
    UPDATE coterie.appdata_tree x
    SET finished_at = this_moment, moved_at = this_moment, whole_at = this_moment, took = this_moment - x.begun_at,
        content = root.content, exact = root.exact, files = root.files, bytes = root.bytes, holes = root.holes,
        held_files = CASE WHEN unsettled THEN x.held_files ELSE p_held END, held_sample = CASE WHEN unsettled THEN x.held_sample ELSE p_sample[1:20] END,
        held_since = CASE WHEN unsettled THEN x.held_since WHEN p_held > 0 THEN coalesce(x.held_since, this_moment) END,
        -- What was accepted while this scan was under way is for the next, if it holds them too.
        accepted = CASE WHEN unsettled OR p_held > 0 AND x.accepted_at >= x.begun_at THEN x.accepted ELSE 0 END,
        doubted_at = CASE WHEN x.doubted_at >= x.begun_at THEN x.doubted_at END,
        doubted_by = CASE WHEN x.doubted_at >= x.begun_at THEN x.doubted_by END,
        doubt = CASE WHEN x.doubted_at >= x.begun_at THEN x.doubt END
    WHERE x.id = t.id;
    IF p_held > 0 AND t.held_files = 0 THEN
        INSERT INTO coterie.event (node, kind, subject, reason, detail)
        VALUES (t.scanned_by, 'appdata.held', p_tree, format('%s files are missing', p_held), jsonb_build_object('files', p_held, 'sample', p_sample[1:20]));
    ELSIF p_held = 0 AND t.held_files > 0 AND NOT unsettled THEN
        INSERT INTO coterie.event (node, kind, subject, actor, reason)
        VALUES (t.scanned_by, 'appdata.settled', p_tree,
                CASE WHEN t.accepted > 0 AND t.accepted_at < t.begun_at THEN t.accepted_by ELSE session_user END,
                CASE WHEN t.accepted > 0 AND t.accepted_at < t.begun_at THEN t.reason ELSE 'what was missing is there again' END);
    END IF;
    DELETE FROM coterie.appdata_change c WHERE c.tree = t.id AND c.at < this_moment - interval '30 days';
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.appdata_finish(text, bigint, bigint, text[], bigint) IS
    'A scan has seen the whole tree, but for so many files that were missing and are not believed to be gone (some of them quoted); p_shown are those that were missing and that a second look showed: while there are any, what an operator has accepted stands for the next scan. False when another scan has begun since. The journal keeps 30 days.';
REVOKE ALL ON FUNCTION coterie.appdata_finish(text, bigint, bigint, text[], bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_finish(text, bigint, bigint, text[], bigint) TO coterie_agent, coterie_operator;
