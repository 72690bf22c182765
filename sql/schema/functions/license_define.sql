CREATE OR REPLACE FUNCTION coterie.license_define(p_change jsonb, p_by text, p_reason text)
RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp
    SET lock_timeout = '5s' AS $$
DECLARE
    said jsonb;
    old coterie.license_pool;
    new coterie.license_pool;
    changed text[] := '{}';
    before jsonb;
    made boolean;
BEGIN
    FOR said IN SELECT value FROM jsonb_array_elements(coalesce(p_change->'pools', '[]')) ORDER BY value->>'name' COLLATE "C" LOOP
        INSERT INTO coterie.license_pool (name) VALUES (said->>'name') ON CONFLICT (name) DO NOTHING;
        made := FOUND;
        SELECT l.* INTO old FROM coterie.license_pool l WHERE l.name = said->>'name' FOR NO KEY UPDATE;
        before := CASE WHEN NOT made THEN coterie.license_said(old.name) END;
        new := jsonb_populate_record(old, said - '{name,entitled,in_use,over,valid_from,valid_until,alive,changed_by,changed_at}'::text[]);
        IF (old.shared_by, old.domains, old.weight) IS DISTINCT FROM (new.shared_by, new.domains, new.weight) AND old.in_use + old.over > 0 THEN
            RAISE EXCEPTION 'pool %: who shares a seat cannot change while % seats are held', quote_literal(old.name), old.in_use + old.over
                USING ERRCODE = 'CT032', HINT = 'Wait until they are given back, or make another pool.';
        END IF;
        UPDATE coterie.license_pool l
        SET kind = new.kind, shared_by = new.shared_by, domains = new.domains, enforced = new.enforced, weight = new.weight,
            overdraft = new.overdraft, overdraft_percent = new.overdraft_percent, max_per_user = new.max_per_user,
            linger = new.linger, idle = new.idle, cooldown = new.cooldown, escrow = new.escrow, escrow_for = new.escrow_for,
            away = new.away, grace = new.grace, warn_at = new.warn_at, least = new.least
        WHERE l.name = old.name;
        PERFORM coterie.license_detail(new, said);
        IF before IS DISTINCT FROM coterie.license_said(old.name) THEN
            UPDATE coterie.license_pool l SET changed_by = session_user, changed_at = coterie.clock() WHERE l.name = old.name;
            INSERT INTO coterie.event (kind, subject, reason, detail)
            VALUES ('license.changed', old.name, nullif(p_reason, ''), jsonb_build_object('by', p_by, 'from', before, 'to', coterie.license_said(old.name)));
            changed := changed || old.name;
        END IF;
    END LOOP;

    FOR said IN SELECT value FROM jsonb_array_elements(coalesce(p_change->'remove', '[]')) ORDER BY value #>> '{}' COLLATE "C" LOOP
        SELECT l.* INTO old FROM coterie.license_pool l WHERE l.name = said #>> '{}' FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        old := coterie.license_mend(old);
        IF old.in_use + old.over > 0 OR EXISTS (SELECT FROM coterie.license_escrow e WHERE e.pool = old.name) THEN
            RAISE EXCEPTION 'pool % has % seats held or kept by nodes', quote_literal(old.name), old.in_use + old.over
                USING ERRCODE = 'CT032', HINT = 'Wait until they are given back; with 0 seats and no escrow nobody gets another.';
        END IF;
        before := coterie.license_said(old.name);
        DELETE FROM coterie.license_use u WHERE u.pool = old.name;
        DELETE FROM coterie.license_seat s WHERE s.pool = old.name;
        DELETE FROM coterie.license_pool l WHERE l.name = old.name;
        INSERT INTO coterie.event (kind, subject, reason, detail)
        VALUES ('license.removed', old.name, nullif(p_reason, ''), jsonb_build_object('by', p_by, 'from', before));
        changed := changed || old.name;
    END LOOP;
    RETURN changed;
END $$;
COMMENT ON FUNCTION coterie.license_define(jsonb, text, text) IS
    'An operator defines pools: {"pools": [{"name", "kind", "shared_by", ..., "seats", "begins_at", "ends_at", "addresses", "rules", "groups", "names"}], "remove": [name]}. What a pool does not say stays. Returns the names of those that changed; raises CT032 for what cannot be while seats are held.';
REVOKE ALL ON FUNCTION coterie.license_define(jsonb, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.license_define(jsonb, text, text) TO coterie_operator;
