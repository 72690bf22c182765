CREATE OR REPLACE FUNCTION coterie.appdata_lines(p_folder text, p_entries text)
RETURNS TABLE (path text, kind text, class text, mode text, uid bigint, gid bigint, links bigint, size bigint,
               modified text, changed text, inode numeric, digest text, again boolean, taken_at timestamptz, target text, error text, raw text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_folder = '.' THEN e[1] ELSE p_folder || '/' || e[1] END,
           CASE e[2] WHEN 'f' THEN 'file' WHEN 'd' THEN 'folder' WHEN 'l' THEN 'link' WHEN 'p' THEN 'fifo' WHEN 's' THEN 'socket' WHEN 'c' THEN 'device' ELSE 'unknown' END,
           e[3], lpad(e[4], 4, '0'), e[5]::bigint, e[6]::bigint, e[7]::bigint, e[8]::bigint, e[9], coalesce(nullif(e[10], ''), e[9]),
           e[11]::numeric, encode(decode(nullif(e[12], ''), 'base64'), 'hex'), e[13] = 'r', to_timestamp(e[14]::float8), nullif(e[15], ''), nullif(e[16], ''), encode(decode(nullif(e[17], ''), 'base64'), 'hex')
    FROM unnest(string_to_array(nullif(p_entries, ''), E'\n')) AS l, string_to_array(l, E'\t') AS e
$$;
COMMENT ON FUNCTION coterie.appdata_lines(text, text) IS 'Takes a page of a manifest apart: a row per line.';
REVOKE ALL ON FUNCTION coterie.appdata_lines(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.appdata_lines(text, text) TO coterie_reader;
