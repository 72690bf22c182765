CREATE OR REPLACE FUNCTION coterie.notice_told(p_id bigint, p_node text, p_incarnation bigint, p_told text[], p_error text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    UPDATE coterie.notice n
    SET told = p_told, error = nullif(p_error, ''), sender = NULL, incarnation = NULL,
        tries = n.tries + CASE WHEN p_error = '' THEN 0 ELSE 1 END,
        retry_at = coterie.clock() + interval '5s' * 2 ^ n.tries,
        sent_at = CASE WHEN p_error = '' OR n.tries >= 6 THEN coterie.clock() END
    WHERE n.id = p_id AND n.sender = p_node AND n.incarnation = p_incarnation
      AND EXISTS (SELECT FROM coterie.session s WHERE s.node = p_node AND s.incarnation = p_incarnation AND s.login = session_user);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION coterie.notice_told(bigint, text, bigint, text[], text) IS
    'Records which hooks were told a notice, and why not all; then it is tried again, with pauses that double, seven times.';
REVOKE ALL ON FUNCTION coterie.notice_told(bigint, text, bigint, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.notice_told(bigint, text, bigint, text[], text) TO coterie_agent;
