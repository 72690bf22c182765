CREATE OR REPLACE FUNCTION coterie.storage_sights(
    p_node text, p_incarnation bigint, p_writers text[], p_incarnations bigint[], p_seen boolean[], p_reasons text[])
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    lost text[];
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s
    WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Of a node that was told unseen, its own others are told at once; that one is seen is what is waited for, and asked.
    SELECT array_agg(w.writer ORDER BY w.writer) INTO lost
    FROM unnest(p_writers, p_seen) AS w (writer, seen)
    LEFT JOIN coterie.sight g ON g.reader = p_node AND g.writer = w.writer
    WHERE NOT w.seen AND g.seen IS DISTINCT FROM false AND EXISTS (SELECT FROM coterie.node n WHERE n.name = w.writer);
    INSERT INTO coterie.sight AS g (reader, writer, reader_incarnation, writer_incarnation, seen, reason)
    SELECT p_node, w.writer, p_incarnation, w.incarnation, w.seen, left(w.reason, 500)
    FROM unnest(p_writers, p_incarnations, p_seen, p_reasons) AS w (writer, incarnation, seen, reason)
    JOIN coterie.node n ON n.name = w.writer
    WHERE w.writer <> p_node
    ON CONFLICT (reader, writer) DO UPDATE
    SET reader_incarnation = excluded.reader_incarnation, writer_incarnation = excluded.writer_incarnation, seen = excluded.seen, reason = excluded.reason,
        since = CASE WHEN g.seen = excluded.seen THEN g.since ELSE excluded.since END;
    IF lost IS NOT NULL THEN
        INSERT INTO coterie.event (node, kind, subject, peer, reason)
        SELECT p_node, 'storage.unseen', w.writer, w.writer, left(w.reason, 500)
        FROM unnest(p_writers, p_reasons) AS w (writer, reason) WHERE w.writer = ANY (lost);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.storage_sights(text, bigint, text[], bigint[], boolean[], text[]) IS
    'A node tells what it sees of what other lives of nodes write to the share, and why not. False when another life of the node is at work. That one is not seen any more is an event.';
REVOKE ALL ON FUNCTION coterie.storage_sights(text, bigint, text[], bigint[], boolean[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.storage_sights(text, bigint, text[], bigint[], boolean[], text[]) TO coterie_agent;
