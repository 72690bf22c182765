CREATE OR REPLACE FUNCTION coterie.license_refuses(p_pool coterie.license_pool, p_who text, p_node text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    groups text[];
    held bigint;
    limits record;
    kept bigint;
    free bigint;
BEGIN
    IF p_pool.kind = 'named' AND NOT EXISTS (
        SELECT FROM coterie.license_name n WHERE n.pool = p_pool.name AND n.who = p_who AND n.removed_at IS NULL) THEN
        RETURN 'not a named user';
    END IF;
    IF p_pool.kind IN ('servers', 'nodes') AND EXISTS (SELECT FROM coterie.license_entitlement e WHERE e.pool = p_pool.name AND e.addresses <> '{}')
       AND NOT (EXISTS (SELECT FROM coterie.license_entitlement e JOIN coterie.node n ON n.name = p_node
                        WHERE e.pool = p_pool.name AND coterie.clock() >= e.begins_at AND coterie.clock() < e.ends_at
                          AND (e.addresses = '{}' OR n.address = ANY (e.addresses)))
                AND coterie.license_placed(p_pool, p_node)) THEN
        RETURN 'bound to other addresses';
    END IF;
    IF p_pool.max_per_user IS NOT NULL THEN
        SELECT count(*) INTO held FROM coterie.license_seat s WHERE s.pool = p_pool.name AND s.who = p_who;
        IF held + p_pool.weight > p_pool.max_per_user THEN
            RETURN format('this user has %s of at most %s', held, p_pool.max_per_user);
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM coterie.license_rule r WHERE r.pool = p_pool.name) THEN
        RETURN NULL;
    END IF;

    groups := ARRAY(SELECT m.grp FROM coterie.license_member m WHERE m.pool = p_pool.name AND m.who = p_who);
    IF EXISTS (SELECT FROM coterie.license_rule r WHERE r.pool = p_pool.name AND r.access = 'exclude'
               AND (r.subject = 'user' AND r.name = p_who OR r.subject = 'group' AND r.name = ANY (groups) OR r.subject = 'node' AND r.name = p_node)) THEN
        RETURN 'excluded';
    END IF;
    IF EXISTS (SELECT FROM coterie.license_rule r WHERE r.pool = p_pool.name AND r.access = 'include')
       AND NOT EXISTS (SELECT FROM coterie.license_rule r WHERE r.pool = p_pool.name AND r.access = 'include'
                       AND (r.subject = 'user' AND r.name = p_who OR r.subject = 'group' AND r.name = ANY (groups) OR r.subject = 'node' AND r.name = p_node)) THEN
        RETURN 'not included';
    END IF;

    -- How much each that a rule names has, who asks among them or not.
    kept := 0;
    FOR limits IN
        SELECT r.subject, r.name, r.most, r.reserved, coterie.license_has(r) AS has,
               CASE r.subject WHEN 'user' THEN r.name = p_who WHEN 'node' THEN r.name = p_node ELSE r.name = ANY (groups) END AS asks
        FROM coterie.license_rule r
        WHERE r.pool = p_pool.name AND (r.most IS NOT NULL OR r.reserved > 0)
        ORDER BY r.subject, r.name
    LOOP
        IF limits.asks AND limits.has + p_pool.weight > limits.most THEN
            RETURN format('%s %s has %s of at most %s', limits.subject, limits.name, limits.has, limits.most);
        END IF;
        IF NOT limits.asks THEN
            kept := kept + greatest(0, limits.reserved - limits.has);
        END IF;
    END LOOP;
    IF kept > 0 THEN
        SELECT count(*) INTO free FROM coterie.license_seat s
        WHERE s.pool = p_pool.name AND s.key IS NULL AND s.escrow IS NULL AND s.number <= p_pool.entitled;
        IF free - kept < p_pool.weight THEN
            RETURN format('%s free, and reserved for others: %s', free, kept);
        END IF;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION coterie.license_refuses(coterie.license_pool, text, text) IS
    'Why the rules of a pool do not let a user have another seat; null when they do. The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_refuses(coterie.license_pool, text, text) FROM PUBLIC;
