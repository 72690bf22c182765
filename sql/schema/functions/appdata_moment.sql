CREATE OR REPLACE FUNCTION coterie.appdata_moment(p_text text)
RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN p_text = '' THEN NULL
        WHEN abs(s) < 60000000000 THEN to_timestamp(s)
        WHEN s < 0 THEN '-infinity'
        ELSE 'infinity'
    END
    FROM (SELECT split_part(p_text, '.', 1)::float8 + ('0.' || split_part(p_text, '.', 2) || '0')::float8 AS s) x
$$;
COMMENT ON FUNCTION coterie.appdata_moment(text) IS
    'A time as pages of a manifest have it, seconds.nanoseconds since 1970; what is more than nineteen centuries away is infinity. File systems keep stranger times than PostgreSQL.';
REVOKE ALL ON FUNCTION coterie.appdata_moment(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_moment(text) TO coterie_reader;
