CREATE OR REPLACE FUNCTION coterie.appdata_masked(p_entries text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN position(E'\tsecret\t' IN p_entries) = 0 THEN p_entries
                ELSE (SELECT string_agg(CASE WHEN e[3] = 'secret' THEN array_to_string(e[1:11] || ARRAY[''] || e[13:16], E'\t') ELSE l.line END, E'\n' ORDER BY l.nr)
                      FROM unnest(string_to_array(p_entries, E'\n')) WITH ORDINALITY AS l (line, nr), string_to_array(l.line, E'\t') AS e)
           END
$$;
COMMENT ON FUNCTION coterie.appdata_masked(text) IS 'A page of a manifest without the digests of files of the class secret.';
REVOKE ALL ON FUNCTION coterie.appdata_masked(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_masked(text) TO coterie_reader;
