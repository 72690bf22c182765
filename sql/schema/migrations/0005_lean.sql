-- needs 4
-- What is written most often is written in place.

-- The hint looks at what happened (functions/event_hint.sql).
DROP TRIGGER event_hint ON coterie.event;
CREATE TRIGGER event_hint AFTER INSERT ON coterie.event
    FOR EACH ROW EXECUTE FUNCTION coterie.event_hint();

-- Whoever asks by holder reads the few thousand leases that there are. With an index on the holder no change of
-- holder could stay in its page (HOT), and each left a dead entry in every index of the table.
DROP INDEX coterie.lease_holder;
