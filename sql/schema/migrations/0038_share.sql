-- What files of the class secret have in them is not told to whoever may look: no
-- digest, by which it could be guessed. Programs read digests through functions.
ALTER TABLE coterie.own_take ADD COLUMN class text;
COMMENT ON COLUMN coterie.own_take.class IS 'What the file is to the cluster, by the rules of the two nodes; secret if either says so, null when it is not known.';

-- It comes back and is told how many of the missing files a second look showed.
DROP FUNCTION IF EXISTS coterie.appdata_finish(text, bigint, bigint, text[]);
