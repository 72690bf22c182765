CREATE OR REPLACE FUNCTION coterie.lease_is_sound() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- A constraint by another name: see migrations/0018_sound.sql. A name is looked at when it is new.
    IF TG_OP = 'INSERT' OR NEW.name <> OLD.name THEN
        IF pg_catalog.octet_length(NEW.name) NOT BETWEEN 1 AND 200 OR NEW.name ~ '[[:cntrl:]]' THEN
            RAISE EXCEPTION 'no lease can have the name %', pg_catalog.quote_literal(pg_catalog.left(NEW.name, 80))
                USING ERRCODE = 'check_violation', HINT = 'A name has 1 to 200 bytes and no control characters.';
        END IF;
    END IF;
    IF pg_catalog.num_nulls(NEW.node, NEW.incarnation, NEW.acquired_at) NOT IN (0, 3) THEN
        RAISE EXCEPTION 'lease % is held by half a life', pg_catalog.quote_literal(NEW.name) USING ERRCODE = 'check_violation';
    ELSIF NEW.token < 0 OR NEW.freed_by NOT IN ('release', 'crash', 'switchover') THEN
        RAISE EXCEPTION 'lease % can neither have token % nor be freed by %', pg_catalog.quote_literal(NEW.name), NEW.token, NEW.freed_by
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION coterie.lease_is_sound() IS 'Refuses rows that no lease can have: held by half a life, or with a name that cannot be told.';
REVOKE ALL ON FUNCTION coterie.lease_is_sound() FROM PUBLIC;
