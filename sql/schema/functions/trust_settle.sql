CREATE OR REPLACE FUNCTION coterie.trust_settle(p_cause text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    newest coterie.trust_store;
    wanted text;
BEGIN
    -- One after another: each statement below sees what the one before left.
    PERFORM FROM coterie.trust_store s WHERE s.version = 0 FOR UPDATE;
    SELECT * INTO newest FROM coterie.trust_store s ORDER BY s.version DESC LIMIT 1;
    wanted := coterie.trust_digest();
    IF wanted = newest.digest THEN
        RETURN newest.version;
    END IF;
    INSERT INTO coterie.trust_store (version, digest, cause) VALUES (newest.version + 1, wanted, left(p_cause, 200));
    INSERT INTO coterie.trust_entry (version, alias, node, fingerprint, certificate, id, identity, signature)
    SELECT newest.version + 1, w.alias, w.node, w.fingerprint, w.certificate, w.id, w.identity, w.signature FROM coterie.trust_content() w;
    -- The certificates of a clock that moved meanwhile: the digest is that of the rows.
    UPDATE coterie.trust_store s
    SET digest = (SELECT encode(sha256(convert_to(coalesce(string_agg(e.alias || ' ' || e.fingerprint || E'\n', '' ORDER BY e.alias COLLATE "C"), ''), 'UTF8')), 'hex')
                  FROM coterie.trust_entry e WHERE e.version = s.version)
    WHERE s.version = newest.version + 1;
    DELETE FROM coterie.trust_store s WHERE s.version BETWEEN 1 AND newest.version - 20;
    -- What is trusted no more, by anybody, is forgotten after a while.
    DELETE FROM coterie.trust_certificate t
    WHERE t.dropped_at < coterie.clock() - interval '30 days'
      AND NOT EXISTS (SELECT FROM coterie.trust_entry e WHERE e.node = t.node AND e.fingerprint = t.fingerprint);
    INSERT INTO coterie.event (kind, subject, reason, detail)
    VALUES ('trust.changed', 'trust', left(p_cause, 200), jsonb_build_object('version', newest.version + 1));
    RETURN newest.version + 1;
END $$;
COMMENT ON FUNCTION coterie.trust_settle(text) IS
    'Makes a new version of the trust store if what it should have is not what it has; returns the version that holds. Saying it twice is harmless.';
REVOKE ALL ON FUNCTION coterie.trust_settle(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.trust_settle(text) TO coterie_agent;
