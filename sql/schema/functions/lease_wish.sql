CREATE OR REPLACE FUNCTION coterie.lease_wish(p_name text, p_likes text[], p_apart text, p_by text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    -- Here and not as constraints, which each new holder would pay for.
    IF cardinality(p_likes) > 20 OR length(array_to_string(p_likes, '') || p_apart) > 1000 OR array_to_string(p_likes || p_apart, '') ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'no tags and group that a lease can have' USING ERRCODE = '22023', HINT = 'At most 20 tags, a thousand characters in all, and no control characters.';
    END IF;
    UPDATE coterie.lease SET likes = coalesce(p_likes, '{}'), apart = nullif(p_apart, '')
    WHERE name = p_name AND (likes, apart) IS DISTINCT FROM (coalesce(p_likes, '{}'), nullif(p_apart, ''));
    IF FOUND THEN
        INSERT INTO coterie.event (kind, subject, actor, reason, detail)
        VALUES ('lease.wished', p_name, p_by, nullif(p_reason, ''), jsonb_build_object('likes', coalesce(p_likes, '{}'), 'apart', nullif(p_apart, '')));
        RETURN true;
    END IF;
    IF NOT EXISTS (SELECT FROM coterie.lease WHERE name = p_name) THEN
        RAISE EXCEPTION 'no lease %', quote_literal(left(p_name, 80)) USING ERRCODE = 'CT030';
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION coterie.lease_wish(text, text[], text, text, text) IS
    'Says where a lease would rather be: with nodes that have these tags, apart from others of a group. False when it was so already.';
REVOKE ALL ON FUNCTION coterie.lease_wish(text, text[], text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.lease_wish(text, text[], text, text, text) TO coterie_operator;
