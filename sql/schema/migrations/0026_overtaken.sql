-- A heartbeat says which answer its node knows: one that was overtaken shortens no session (functions/tick.sql).
DROP FUNCTION IF EXISTS coterie.tick(text, bigint, text[], real, bigint, double precision, bigint, boolean, boolean, text[], bigint[], bigint[], text[], bigint[], text[], text[], bigint[], text[]);
