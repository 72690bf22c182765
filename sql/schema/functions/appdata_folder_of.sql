CREATE OR REPLACE FUNCTION coterie.appdata_folder_of(p_path text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(p_path, '/') = 0 THEN '.' ELSE left(p_path, length(p_path) - strpos(reverse(p_path), '/')) END
$$;
COMMENT ON FUNCTION coterie.appdata_folder_of(text) IS 'The folder in which a path lies; a dot is the root.';
REVOKE ALL ON FUNCTION coterie.appdata_folder_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_folder_of(text) TO coterie_reader;
