CREATE OR REPLACE FUNCTION coterie.license_detail(p_pool coterie.license_pool, p_said jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    p coterie.license_pool;
    taken bigint;
BEGIN
    IF p_said ? 'seats' THEN
        DELETE FROM coterie.license_entitlement e WHERE e.pool = p_pool.name AND e.serial = 'plain';
        IF (p_said->>'seats')::integer <> 0 THEN
            INSERT INTO coterie.license_entitlement (pool, serial, seats, begins_at, ends_at, addresses)
            VALUES (p_pool.name, 'plain', (p_said->>'seats')::integer, coalesce((p_said->>'begins_at')::timestamptz, '-infinity'),
                    coalesce((p_said->>'ends_at')::timestamptz, 'infinity'),
                    ARRAY(SELECT jsonb_array_elements_text(coalesce(p_said->'addresses', '[]'))));
        END IF;
    END IF;
    SELECT l.* INTO p FROM coterie.license_pool l WHERE l.name = p_pool.name;
    p := coterie.license_resize(p);
    IF p_said ? 'groups' THEN
        DELETE FROM coterie.license_member m WHERE m.pool = p.name;
        INSERT INTO coterie.license_member (pool, grp, who)
        SELECT DISTINCT p.name, g.key, coterie.license_who(p.domains, w.name)
        FROM jsonb_each(p_said->'groups') AS g, jsonb_array_elements_text(g.value) AS w (name);
    END IF;
    IF p_said ? 'rules' THEN
        DELETE FROM coterie.license_rule r WHERE r.pool = p.name;
        INSERT INTO coterie.license_rule (pool, subject, name, reserved, most, access)
        SELECT p.name, r.subject, CASE r.subject WHEN 'user' THEN coterie.license_who(p.domains, r.name) ELSE r.name END,
               coalesce(r.reserved, 0), r.most, coalesce(r.access, 'any')
        FROM jsonb_to_recordset(p_said->'rules') AS r (subject text, name text, reserved integer, most integer, access text);
        IF (SELECT sum(r.reserved) FROM coterie.license_rule r WHERE r.pool = p.name) > p.entitled THEN
            RAISE EXCEPTION 'pool %: more seats are reserved than the % that it has', quote_literal(p.name), p.entitled USING ERRCODE = 'CT032';
        END IF;
    END IF;
    IF p_said ? 'names' THEN
        UPDATE coterie.license_name n SET removed_at = coterie.clock()
        WHERE n.pool = p.name AND n.removed_at IS NULL
          AND n.who NOT IN (SELECT coterie.license_who(p.domains, w.name) FROM jsonb_array_elements_text(p_said->'names') AS w (name));
        DELETE FROM coterie.license_name n WHERE n.pool = p.name AND n.removed_at <= coterie.clock() - p.cooldown;
        INSERT INTO coterie.license_name (pool, who, name)
        SELECT DISTINCT ON (coterie.license_who(p.domains, w.name)) p.name, coterie.license_who(p.domains, w.name), w.name
        FROM jsonb_array_elements_text(p_said->'names') AS w (name)
        ON CONFLICT (pool, who) DO UPDATE SET removed_at = NULL;
        SELECT count(*) INTO taken FROM coterie.license_name n WHERE n.pool = p.name;
        IF taken > p.entitled AND p.enforced THEN
            RAISE EXCEPTION 'pool %: % names for % places', quote_literal(p.name), taken, p.entitled
                USING ERRCODE = 'CT032', HINT = 'A removed name keeps its place for the pool''s cooldown.';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION coterie.license_detail(coterie.license_pool, jsonb) IS
    'The entitlement, groups, rules and names of a definition. The caller holds the pool''s row.';
REVOKE ALL ON FUNCTION coterie.license_detail(coterie.license_pool, jsonb) FROM PUBLIC;
