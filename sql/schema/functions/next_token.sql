CREATE OR REPLACE FUNCTION coterie.next_token() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
    SELECT ((SELECT era FROM coterie.cluster) << 40) + nextval('coterie.token_seq')
$$;
COMMENT ON FUNCTION coterie.next_token() IS 'The next fencing token: above every token ever given in this era and all before it.';
REVOKE ALL ON FUNCTION coterie.next_token() FROM PUBLIC;
