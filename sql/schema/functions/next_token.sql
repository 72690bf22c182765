CREATE OR REPLACE FUNCTION coterie.next_token() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RETURN ((SELECT era FROM coterie.cluster) << 40) + nextval('coterie.token_seq');
END $$;
COMMENT ON FUNCTION coterie.next_token() IS 'The next fencing token: above every token ever given in this era and all before it.';
REVOKE ALL ON FUNCTION coterie.next_token() FROM PUBLIC;
