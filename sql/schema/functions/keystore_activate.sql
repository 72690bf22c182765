CREATE OR REPLACE FUNCTION coterie.keystore_activate(
    p_name text, p_version bigint, p_active bigint, p_patience interval, p_by text, p_reason text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    other coterie.keystore_rollout;
    active bigint;
    number bigint;
BEGIN
    -- One after another: who comes second is told who was first.
    PERFORM FROM coterie.cluster FOR UPDATE;
    SELECT * INTO other FROM coterie.keystore_rollout r WHERE r.name = p_name AND r.ended_at IS NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'version % of % is being brought to the nodes, by % since %', other.version, p_name, other.begun_by, to_char(other.begun_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
            USING ERRCODE = 'CT041', HINT = 'wait for it: coterie keystore status; or call it back: coterie keystore rollback';
    END IF;
    SELECT k.version INTO active FROM coterie.keystore k WHERE k.name = p_name AND k.state = 'active';
    IF active = p_version THEN
        RETURN NULL;
    END IF;
    IF active IS DISTINCT FROM p_active THEN
        SELECT * INTO other FROM coterie.keystore_rollout r WHERE r.name = p_name AND r.phase = 'done' ORDER BY r.id DESC LIMIT 1;
        RAISE EXCEPTION 'version % of % was activated by % at %', other.version, p_name, other.begun_by, to_char(other.begun_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
            USING ERRCODE = 'CT041', HINT = 'look at it: coterie keystore status; then say it again if it is still wanted';
    END IF;
    PERFORM FROM coterie.keystore k WHERE k.name = p_name AND k.version = p_version;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no version %', p_name, p_version USING ERRCODE = 'CT042';
    END IF;
    -- What a node had against it may be mended: it looks again.
    DELETE FROM coterie.keystore_vote v WHERE v.name = p_name AND v.version = p_version AND NOT v.ok;
    INSERT INTO coterie.keystore_rollout (name, version, previous, patience, reason)
    VALUES (p_name, p_version, active, p_patience, nullif(left(p_reason, 2000), ''))
    RETURNING id INTO number;
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('keystore.voting', p_name, nullif(left(p_reason, 2000), ''), jsonb_build_object('version', p_version, 'rollout', number, 'previous', active, 'by', p_by));
    RETURN number;
END $$;
COMMENT ON FUNCTION coterie.keystore_activate(text, bigint, bigint, interval, text, text) IS
    'An operator has a version of a keystore brought to all nodes, after he saw which one is active; the number of the rollout, null when it is active. CT041 when another is on its way or became active meanwhile, CT042 when there is no such version.';
REVOKE ALL ON FUNCTION coterie.keystore_activate(text, bigint, bigint, interval, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.keystore_activate(text, bigint, bigint, interval, text, text) TO coterie_operator;
