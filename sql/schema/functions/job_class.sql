CREATE OR REPLACE FUNCTION coterie.job_class(p_action text, p_requires text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT 'action/' || p_action || coalesce((SELECT string_agg(DISTINCT ('+' || tag) COLLATE "C", '' ORDER BY ('+' || tag) COLLATE "C") FROM unnest(p_requires) AS tag), '')
$$;
COMMENT ON FUNCTION coterie.job_class(text, text[]) IS 'Class of the lease of a job: nodes that define its action and have the tags that it requires take it.';
REVOKE ALL ON FUNCTION coterie.job_class(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coterie.job_class(text, text[]) TO coterie_reader;
