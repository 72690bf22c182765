CREATE OR REPLACE FUNCTION coterie.app_word(p_node text, p_by text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    INSERT INTO coterie.event (node, kind, subject, actor) VALUES (p_node, 'app.word', p_node, p_by) RETURNING id
$$;
COMMENT ON FUNCTION coterie.app_word(text, text) IS
    'A node leaves a word in the ledger, to see whether it and the others are read where its application''s connection leads: the number of the event.';
REVOKE ALL ON FUNCTION coterie.app_word(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.app_word(text, text) TO coterie_agent, coterie_operator;
