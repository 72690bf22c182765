CREATE OR REPLACE FUNCTION coterie.session_is_sound() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- A constraint by another name: see migrations/0018_sound.sql. No heartbeat comes here.
    IF pg_catalog.length(NEW.node) NOT BETWEEN 1 AND 200 OR NEW.node ~ '[[:cntrl:]]' OR NEW.incarnation <= 0 THEN
        RAISE EXCEPTION 'no node can have the name % and incarnation %', pg_catalog.quote_literal(pg_catalog.left(NEW.node, 80)), NEW.incarnation
            USING ERRCODE = 'check_violation', HINT = 'A name has 1 to 200 characters, none of them a control character.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION coterie.session_is_sound() IS 'Refuses a session of a node that cannot be told, or of no life.';
REVOKE ALL ON FUNCTION coterie.session_is_sound() FROM PUBLIC;
