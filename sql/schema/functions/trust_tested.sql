CREATE OR REPLACE FUNCTION coterie.trust_tested(
    p_node text, p_incarnation bigint, p_version bigint, p_to text[], p_results coterie.trust_result[],
    p_details text[], p_latencies real[], p_fingerprints text[])
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    WITH told AS (
        SELECT l.* FROM unnest(p_to, p_results, p_details, p_latencies, p_fingerprints) AS l (to_node, result, detail, latency_ms, fingerprint)
        WHERE EXISTS (SELECT FROM coterie.node n WHERE n.name = l.to_node)
    ), before AS (
        SELECT t.to_node, t.result FROM coterie.trust_test t WHERE t.from_node = p_node
    ), written AS (
        INSERT INTO coterie.trust_test AS t (from_node, to_node, result, detail, latency_ms, fingerprint, version)
        SELECT p_node, l.to_node, l.result, left(l.detail, 500), l.latency_ms, nullif(l.fingerprint, ''), p_version FROM told l
        ON CONFLICT (from_node, to_node) DO UPDATE
        SET result = excluded.result, detail = excluded.detail, latency_ms = excluded.latency_ms, fingerprint = excluded.fingerprint,
            version = excluded.version, tested_at = excluded.tested_at, since = CASE WHEN t.result = excluded.result THEN t.since ELSE excluded.since END
        RETURNING t.to_node, t.result, t.detail
    )
    INSERT INTO coterie.event (node, kind, subject, peer, reason, detail)
    SELECT p_node, 'trust.tested', p_node, w.to_node, nullif(w.detail, ''), jsonb_build_object('result', w.result, 'version', p_version)
    FROM written w LEFT JOIN before b ON b.to_node = w.to_node
    -- That all is well from the beginning is no news.
    WHERE b.result IS DISTINCT FROM w.result AND NOT (b.result IS NULL AND w.result = 'ok');
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.trust_tested(text, bigint, bigint, text[], coterie.trust_result[], text[], real[], text[]) IS
    'A node tells what came of the connections that it made to the servers of others; false when another life of the node is at work.';
REVOKE ALL ON FUNCTION coterie.trust_tested(text, bigint, bigint, text[], coterie.trust_result[], text[], real[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_tested(text, bigint, bigint, text[], coterie.trust_result[], text[], real[], text[]) TO coterie_agent;
