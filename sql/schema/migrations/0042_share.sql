-- How a folder looked when it was summed: a scan that finds it looking so need not read
-- what is known of it.
ALTER TABLE coterie.appdata_folder ADD COLUMN looks bytea CHECK (length(looks) = 32);
COMMENT ON COLUMN coterie.appdata_folder.looks IS 'SHA-256 over all that its entries show from outside; null where that does not tell whether they changed.';

-- It comes back and takes the texts of pages as one text, too.
DROP FUNCTION IF EXISTS coterie.appdata_store(text, bigint, bigint, jsonb, text[], text[], text[]);
