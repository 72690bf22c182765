-- after functions/keystore_activate.sql
CREATE OR REPLACE FUNCTION coterie.renewal_end(
    p_node text, p_incarnation bigint, p_token bigint, p_name text, p_version bigint, p_activate boolean, p_patience interval, p_retry interval, p_error text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    was coterie.renewal;
    active bigint;
    failed boolean := p_error <> '';
    times bigint;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it, and only of the attempt that it began.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT * INTO was FROM coterie.renewal r WHERE r.name = p_name AND r.node = p_node AND r.token = p_token AND r.ended_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF NOT failed AND p_activate THEN
        PERFORM coterie.assert_lease('renewal/' || p_name, p_token);
        SELECT k.version INTO active FROM coterie.keystore k WHERE k.name = p_name AND k.state = 'active';
        BEGIN
            PERFORM coterie.keystore_activate(p_name, p_version, active, p_patience, p_node, 'renewed by ' || p_node);
        EXCEPTION WHEN SQLSTATE 'CT041' THEN
            NULL; -- an administrator is at it: what was staged is there for him
        END;
    END IF;
    times := CASE WHEN failed THEN was.failures + 1 ELSE 0 END;
    UPDATE coterie.renewal r
    SET ended_at = coterie.clock(), version = p_version, failures = times, failing = CASE WHEN failed THEN coalesce(was.failing, coterie.clock()) END,
        error = left(p_error, 2000),
        -- Twice as long each time, a day at most.
        next_at = coterie.clock() + least(p_retry * power(2, least(greatest(times - 1, 0), 20)), greatest(p_retry, interval '1 day'))
    WHERE r.name = p_name;
    INSERT INTO coterie.event (node, kind, subject, token, reason, detail)
    VALUES (p_node, CASE WHEN failed THEN 'renewal.failed' ELSE 'renewal.done' END, p_name, p_token, nullif(left(p_error, 2000), ''),
            jsonb_build_object('version', p_version, 'failures', times));
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.renewal_end(text, bigint, bigint, text, bigint, boolean, interval, interval, text) IS
    'A node tells how its attempt to renew a certificate ended, and has the version that it staged brought to all nodes if it is told to; false when the attempt is over, or another life of the node is at work.';
REVOKE ALL ON FUNCTION coterie.renewal_end(text, bigint, bigint, text, bigint, boolean, interval, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.renewal_end(text, bigint, bigint, text, bigint, boolean, interval, interval, text) TO coterie_agent;
