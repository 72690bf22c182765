CREATE OR REPLACE FUNCTION coterie.trust_look(p_node text, p_takes_part boolean, p_digest text) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    asked boolean;
    mine coterie.approval;
    newest coterie.trust_store;
    who text;
BEGIN
    SELECT s.approval INTO asked FROM coterie.setting s;
    SELECT n.id INTO who FROM coterie.node n WHERE n.name = p_node;
    SELECT * INTO mine FROM coterie.approval a WHERE a.id = who;
    -- Every node asks, and most clusters have nothing to do with it.
    IF NOT p_takes_part THEN
        RETURN json_build_object('asked', asked, 'admitted', coterie.trust_admits(who), 'state', coalesce(mine.state::text, ''));
    END IF;
    SELECT * INTO newest FROM coterie.trust_store s ORDER BY s.version DESC LIMIT 1;
    RETURN json_build_object(
        'asked', asked, 'admitted', coterie.trust_admits(who), 'state', coalesce(mine.state::text, ''),
        'version', newest.version, 'digest', newest.digest, 'unsettled', coterie.trust_digest() <> newest.digest,
        'entries', CASE WHEN newest.digest <> p_digest THEN coalesce((
            SELECT json_agg(json_build_object('alias', e.alias, 'node', coalesce(e.node, ''), 'certificate', encode(e.certificate, 'base64'),
                                             'id', coalesce(e.id, ''), 'identity', encode(coalesce(e.identity, ''), 'base64'), 'signature', encode(coalesce(e.signature, ''), 'base64'))
                            ORDER BY e.alias COLLATE "C")
            FROM coterie.trust_entry e WHERE e.version = newest.version), '[]') END,
        'peers', coalesce((
            SELECT json_agg(json_build_object('node', t.node, 'address', t.address, 'host', t.host) ORDER BY t.node)
            FROM coterie.trust_node t
            JOIN coterie.node n ON n.name = t.node AND n.state NOT IN ('left', 'evicted')
            JOIN coterie.session s ON s.node = t.node AND s.expires_at > coterie.clock()
            WHERE t.address <> '' AND coterie.trust_admits(n.id)), '[]'));
END $$;
COMMENT ON FUNCTION coterie.trust_look(text, boolean, text) IS
    'What a node has to know of trust, as it is at one moment: whether it is admitted, the newest trust store (its entries only if the digest is another), and whom it could call.';
REVOKE ALL ON FUNCTION coterie.trust_look(text, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_look(text, boolean, text) TO coterie_reader;
