CREATE OR REPLACE FUNCTION coterie.event_hint() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- A constraint by another name: see migrations/0018_sound.sql.
    IF NEW.kind !~ '^[a-z]+\.[a-z_]+$' THEN
        RAISE EXCEPTION 'an event is a noun and what became of it, not %', pg_catalog.quote_literal(pg_catalog.left(NEW.kind, 80)) USING ERRCODE = 'check_violation';
    END IF;

    -- A notification holds one lock of the whole server until its transaction is on disk, so nobody is woken
    -- for what gives nobody anything to do at once: that a lease was taken, or that one is free which no node
    -- takes by itself, or what a node says of itself, unless it is that it takes leases now, or who could open
    -- a keystore where there is none; twenty that start
    -- together would wake each other hundreds of times. Asked here, and not by a WHEN of the trigger, which is
    -- read anew at each statement; one question after the other, since an expression with a query inside costs
    -- each event as much as a statement of its own, whether that query is carried out or not.
    IF NEW.kind IN ('lease.claimed', 'node.joined', 'session.began', 'storage.changed') OR NEW.rule = 'taken by name only' THEN
        RETURN NULL;
    ELSIF NEW.kind = 'node.reported' THEN
        IF (NEW.detail ->> 'state' = 'ready') IS NOT TRUE THEN
            RETURN NULL;
        END IF;
    ELSIF NEW.kind = 'keystore.key' THEN
        IF NOT EXISTS (SELECT FROM coterie.keystore) THEN
            RETURN NULL;
        END IF;
    END IF;

    -- Nor when the server's queue of notifications fills up, which any client of any of its databases can cause
    -- that listens and does not read: when it is full, what would notify fails. A hint that is not sent costs a heartbeat.
    IF pg_catalog.pg_notification_queue_usage() < 0.5 THEN
        -- That somebody waits to be seen on the share is no matter of leases: no heartbeat is needed to look there.
        PERFORM pg_catalog.pg_notify('coterie', CASE WHEN NEW.kind = 'storage.challenged' THEN 'share' ELSE '' END);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION coterie.event_hint() IS 'Refuses an event of no kind, and wakes listening agents after what may give them something to do.';
REVOKE ALL ON FUNCTION coterie.event_hint() FROM PUBLIC;
