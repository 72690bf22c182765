CREATE OR REPLACE FUNCTION coterie.trust_publish(
    p_node text, p_incarnation bigint, p_address text, p_host text, p_identity bytea,
    p_certificates bytea[], p_signatures bytea[], p_subjects text[], p_not_befores timestamptz[], p_not_afters timestamptz[], p_served boolean[], p_all boolean)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    who text;
    c record;
    moved boolean := false;
BEGIN
    -- Fenced: only the living incarnation of a node speaks for it.
    PERFORM FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT n.id INTO who FROM coterie.node n WHERE n.name = p_node;
    IF who IS DISTINCT FROM encode(substring(sha256(p_identity) FOR 16), 'hex') THEN
        RAISE EXCEPTION 'the identity is not that of %', quote_literal(p_node) USING ERRCODE = 'CT050';
    END IF;
    IF cardinality(p_certificates) > 8 THEN
        RAISE EXCEPTION 'a node has at most 8 certificates, not %', cardinality(p_certificates) USING ERRCODE = '22023';
    END IF;
    -- One after another, and in the order in which coterie.trust_settle has it.
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    INSERT INTO coterie.trust_node AS t (node, incarnation, address, host)
    VALUES (p_node, p_incarnation, p_address, p_host)
    ON CONFLICT (node) DO UPDATE SET incarnation = excluded.incarnation, address = excluded.address, host = excluded.host
    WHERE (t.incarnation, t.address, t.host) IS DISTINCT FROM (excluded.incarnation, excluded.address, excluded.host);
    FOR c IN
        SELECT encode(sha256(l.certificate), 'hex') AS fingerprint, l.*
        FROM unnest(p_certificates, p_signatures, p_subjects, p_not_befores, p_not_afters, p_served)
             AS l (certificate, signature, subject, not_before, not_after, served)
    LOOP
        INSERT INTO coterie.trust_certificate AS t (node, fingerprint, version, id, identity, signature, certificate, subject, not_before, not_after, served)
        VALUES (p_node, c.fingerprint, (SELECT coalesce(max(o.version), 0) + 1 FROM coterie.trust_certificate o WHERE o.node = p_node),
                who, p_identity, c.signature, c.certificate, left(c.subject, 2000), c.not_before, c.not_after, c.served)
        ON CONFLICT (node, fingerprint) DO UPDATE
        SET id = excluded.id, identity = excluded.identity, signature = excluded.signature, served = excluded.served, dropped_at = NULL
        WHERE (t.id, t.identity, t.signature, t.served) IS DISTINCT FROM (excluded.id, excluded.identity, excluded.signature, excluded.served) OR t.dropped_at IS NOT NULL;
        IF FOUND THEN
            moved := true;
            INSERT INTO coterie.event (node, kind, subject, detail)
            VALUES (p_node, 'trust.published', p_node, jsonb_build_object('fingerprint', c.fingerprint, 'served', c.served));
        END IF;
    END LOOP;
    -- While its server cannot be asked nothing is given up.
    UPDATE coterie.trust_certificate t SET dropped_at = coterie.clock(), served = false
    WHERE p_all AND t.node = p_node AND t.dropped_at IS NULL
      AND t.fingerprint <> ALL (ARRAY(SELECT encode(sha256(u), 'hex') FROM unnest(p_certificates) AS u));
    IF FOUND OR moved THEN
        PERFORM coterie.trust_settle(p_node || ' published');
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION coterie.trust_publish(text, bigint, text, text, bytea, bytea[], bytea[], text[], timestamptz[], timestamptz[], boolean[], boolean) IS
    'A node publishes the certificates that its server shows or is about to show (all of them, unless its server could not be asked), and where the others call it; false when another life of the node is at work. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.trust_publish(text, bigint, text, text, bytea, bytea[], bytea[], text[], timestamptz[], timestamptz[], boolean[], boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_publish(text, bigint, text, text, bytea, bytea[], bytea[], text[], timestamptz[], timestamptz[], boolean[], boolean) TO coterie_agent;
