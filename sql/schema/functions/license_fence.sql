CREATE OR REPLACE FUNCTION coterie.license_fence(p_node text, p_incarnation bigint, p_number bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, coterie, pg_temp AS $$
DECLARE
    settled boolean;
BEGIN
    IF p_number IS NOT NULL THEN
        INSERT INTO coterie.license_desk AS d (node, incarnation, number) VALUES (p_node, p_incarnation, p_number)
        ON CONFLICT (node) DO UPDATE SET incarnation = excluded.incarnation, number = excluded.number
        WHERE d.incarnation <> excluded.incarnation OR d.number < excluded.number;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'batch % of % comes after a later one', p_number, quote_literal(left(p_node, 80))
                USING ERRCODE = 'CT033', HINT = 'Whoever sent it has given it up.';
        END IF;
    END IF;
    SELECT c.era_settled INTO settled FROM coterie.cluster c WHERE coterie.era_here(c);
    IF settled IS NULL THEN
        RAISE EXCEPTION 'this database is another than before: seats wait for the new era' USING ERRCODE = 'CT034';
    END IF;
    RETURN settled;
END $$;
COMMENT ON FUNCTION coterie.license_fence(text, bigint, bigint) IS
    'Refuses what comes after a later batch of the node, and what a promotion or a restore brought here; whether the era is settled.';
REVOKE ALL ON FUNCTION coterie.license_fence(text, bigint, bigint) FROM PUBLIC;
