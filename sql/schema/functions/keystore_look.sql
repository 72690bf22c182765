CREATE OR REPLACE FUNCTION coterie.keystore_look(p_name text, p_serves boolean) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    -- Every node asks whenever the ledger moves, and most clusters leave their keystores alone.
    IF NOT p_serves AND NOT EXISTS (SELECT FROM coterie.keystore k WHERE k.name = p_name) THEN
        RETURN NULL;
    END IF;
    -- Only nodes that live take part, and are not waiting for approval.
    RETURN (
    SELECT json_build_object(
        'active', coalesce((SELECT k.version FROM coterie.keystores k WHERE k.name = p_name AND k.state = 'active'), 0),
        'staged', coalesce((SELECT k.version FROM coterie.keystores k WHERE k.name = p_name AND k.state = 'staged' ORDER BY k.version DESC LIMIT 1), 0),
        'rollout', (SELECT json_build_object('id', r.id, 'version', r.version, 'previous', coalesce(r.previous, 0), 'phase', r.phase,
                                             'canary', coalesce(r.canary, ''), 'overdue', r.overdue, 'turn', r.turn)
                    FROM coterie.keystore_rollouts r WHERE r.name = p_name AND r.ended_at IS NULL),
        'members', coalesce((
            SELECT json_agg(json_build_object(
                'node', n.name,
                'votes', coalesce((SELECT json_agg(json_build_object('version', v.version, 'ok', v.ok, 'serves', v.serves, 'alone', v.alone, 'why', v.why))
                                   FROM coterie.keystore_votes v WHERE v.name = p_name AND v.node = n.name AND v.incarnation = n.incarnation), '[]'),
                'fresh', c.incarnation IS NOT DISTINCT FROM n.incarnation,
                'report', CASE WHEN c.node IS NOT NULL THEN json_build_object(
                    'version', coalesce(c.version, 0), 'state', c.state, 'file', coalesce(c.file_sha256, ''), 'served', coalesce(c.served_fingerprint, ''),
                    'rollout', coalesce(c.rollout, 0), 'phase', coalesce(c.phase, ''), 'error', c.error) END)
                            ORDER BY n.started_at, n.name)
            FROM coterie.nodes n LEFT JOIN coterie.certificates c ON c.keystore = p_name AND c.node = n.name
            WHERE n.state NOT IN ('left', 'evicted', 'dead', 'suspect') AND coterie.trust_admits(n.id)), '[]'),
        'versions', coalesce((
            SELECT json_agg(json_build_object('version', k.version, 'sha256', k.sha256, 'alias', k.alias, 'fingerprint', k.fingerprint,
                                             'ends', extract(epoch FROM k.not_after)::bigint))
            FROM coterie.keystores k WHERE k.name = p_name), '[]')));
END $$;
COMMENT ON FUNCTION coterie.keystore_look(text, boolean) IS
    'All that a round of a keystore''s rollout is decided upon, as it is at one moment; null when there is no version of it and the caller has no server.';
REVOKE ALL ON FUNCTION coterie.keystore_look(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_look(text, boolean) TO coterie_agent;
