-- needs 6
-- Licences: pools of seats, who holds them and why, and what was refused.

-- A pool is what is counted by itself. Its row is the lock under which all of its seats move, so that limits,
-- reservations and peaks are exact, and no two statements can wait for each other in a circle.
CREATE TABLE coterie.license_pool (
    name         text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    kind         text NOT NULL DEFAULT 'floating' CHECK (kind IN ('floating', 'named', 'agents', 'servers', 'nodes')),
    shared_by    text NOT NULL DEFAULT 'user' CHECK (shared_by IN ('user', 'host', 'session', 'node')),
    domains      text NOT NULL DEFAULT 'keep' CHECK (domains IN ('keep', 'strip')),
    enforced     boolean NOT NULL DEFAULT true,
    weight       integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    overdraft    integer NOT NULL DEFAULT 0 CHECK (overdraft BETWEEN 0 AND 1000000),
    overdraft_percent integer NOT NULL DEFAULT 0 CHECK (overdraft_percent BETWEEN 0 AND 100),
    max_per_user integer CHECK (max_per_user BETWEEN 1 AND 1000000),
    linger       interval NOT NULL DEFAULT '0' CHECK (linger BETWEEN '0' AND '1 day'),
    idle         interval DEFAULT '1h' CHECK (idle BETWEEN '1s' AND '31 days'),
    cooldown     interval NOT NULL DEFAULT '0' CHECK (cooldown BETWEEN '0' AND '366 days'),
    escrow       integer NOT NULL DEFAULT 0 CHECK (escrow BETWEEN 0 AND 10000),
    escrow_for   interval NOT NULL DEFAULT '15min' CHECK (escrow_for BETWEEN '1s' AND '48h'),
    away         text NOT NULL DEFAULT 'refuse' CHECK (away IN ('refuse', 'grace')),
    grace        interval NOT NULL DEFAULT '15min' CHECK (grace BETWEEN '0' AND '48h'),
    warn_at      integer NOT NULL DEFAULT 90 CHECK (warn_at BETWEEN 1 AND 100),
    entitled     integer NOT NULL DEFAULT 0 CHECK (entitled BETWEEN 0 AND 1000000),
    in_use       integer NOT NULL DEFAULT 0 CHECK (in_use >= 0),
    over         integer NOT NULL DEFAULT 0 CHECK (over >= 0),
    valid_from   timestamptz NOT NULL DEFAULT 'infinity',
    valid_until  timestamptz NOT NULL DEFAULT '-infinity',
    alive        numeric NOT NULL DEFAULT 0,
    changed_by   text NOT NULL DEFAULT session_user,
    changed_at   timestamptz NOT NULL DEFAULT coterie.clock(),
    -- Whoever shares a seat by node takes none for a user.
    CONSTRAINT users_have_no_limit_where_nodes_hold CHECK (shared_by <> 'node' OR max_per_user IS NULL)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE coterie.license_pool IS 'One row per pool of seats: its rules, what it is entitled to, and how many seats are held. Its lock orders all that happens in the pool.';
COMMENT ON COLUMN coterie.license_pool.name IS 'Name of the pool, as applications and licence files say it.';
COMMENT ON COLUMN coterie.license_pool.kind IS 'What holds seats: floating (concurrent users), named (authorized users), agents, servers (one per node, perhaps bound to its address) or nodes (a limit of nodes).';
COMMENT ON COLUMN coterie.license_pool.shared_by IS 'Whose uses share one seat: those of one user, of one user on one host, of one session, or of one node.';
COMMENT ON COLUMN coterie.license_pool.domains IS 'What becomes of a domain in a user''s name (DOMAIN\u, u@domain): keep it (both are one user) or strip it.';
COMMENT ON COLUMN coterie.license_pool.enforced IS 'Whether a checkout beyond the entitlement is refused; false only counts.';
COMMENT ON COLUMN coterie.license_pool.weight IS 'Seats (tokens) that one checkout takes.';
COMMENT ON COLUMN coterie.license_pool.overdraft IS 'Seats that may be held beyond the entitlement; counted apart.';
COMMENT ON COLUMN coterie.license_pool.overdraft_percent IS 'The same as a percentage of the entitlement, rounded down; both add up.';
COMMENT ON COLUMN coterie.license_pool.max_per_user IS 'Most seats of one user; null for no limit.';
COMMENT ON COLUMN coterie.license_pool.linger IS 'How long a seat stays its holder''s after the last check-in.';
COMMENT ON COLUMN coterie.license_pool.idle IS 'How long a use may go without renewal; null for ever.';
COMMENT ON COLUMN coterie.license_pool.cooldown IS 'How long the place of a named user stays taken after the name is removed.';
COMMENT ON COLUMN coterie.license_pool.escrow IS 'Seats that each node keeps in advance, to grant while the database is away.';
COMMENT ON COLUMN coterie.license_pool.escrow_for IS 'How long such seats are the node''s unless it renews them.';
COMMENT ON COLUMN coterie.license_pool.away IS 'What a node does while the database is away and its escrow is used up: refuse, or grace (grant, and record it as excess).';
COMMENT ON COLUMN coterie.license_pool.grace IS 'For how long after the database went away grace is given.';
COMMENT ON COLUMN coterie.license_pool.warn_at IS 'Percent of the entitlement from which on people are warned.';
COMMENT ON COLUMN coterie.license_pool.entitled IS 'Seats of all entitlements that are valid now.';
COMMENT ON COLUMN coterie.license_pool.in_use IS 'Seats within the entitlement that are held.';
COMMENT ON COLUMN coterie.license_pool.over IS 'Seats beyond it that are held: overdraft and excess.';
COMMENT ON COLUMN coterie.license_pool.valid_from IS 'Since when entitled is what it is.';
COMMENT ON COLUMN coterie.license_pool.valid_until IS 'When it must be computed anew, because an entitlement begins or ends.';
COMMENT ON COLUMN coterie.license_pool.alive IS 'Sum of the incarnations of all sessions when void uses were last taken back: while it is the same, none died.';
COMMENT ON COLUMN coterie.license_pool.changed_by IS 'Role that changed its rules last.';
COMMENT ON COLUMN coterie.license_pool.changed_at IS 'When.';

-- A licence file as it was applied, so that anybody can verify its signature again.
CREATE TABLE coterie.license_file (
    serial     text PRIMARY KEY CHECK (serial ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' AND serial <> 'plain'),
    issuer     text NOT NULL DEFAULT '',
    document   text NOT NULL,
    signature  text NOT NULL,
    signed_by  text NOT NULL,
    applied_by text NOT NULL DEFAULT session_user,
    applied_at timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.license_file IS 'One row per signed licence file that was applied.';
COMMENT ON COLUMN coterie.license_file.serial IS 'Serial of the file, given by who issued it.';
COMMENT ON COLUMN coterie.license_file.issuer IS 'Who issued it, as the file says.';
COMMENT ON COLUMN coterie.license_file.document IS 'What was signed, byte for byte.';
COMMENT ON COLUMN coterie.license_file.signature IS 'Its Ed25519 signature, in base64.';
COMMENT ON COLUMN coterie.license_file.signed_by IS 'Fingerprint of the key that verified it.';
COMMENT ON COLUMN coterie.license_file.applied_by IS 'Role that applied it.';
COMMENT ON COLUMN coterie.license_file.applied_at IS 'When.';

-- Several entitlements of one pool add up.
CREATE TABLE coterie.license_entitlement (
    pool      text NOT NULL REFERENCES coterie.license_pool ON DELETE CASCADE,
    serial    text NOT NULL,
    seats     integer NOT NULL CHECK (seats BETWEEN 1 AND 1000000),
    begins_at timestamptz NOT NULL DEFAULT '-infinity',
    ends_at   timestamptz NOT NULL DEFAULT 'infinity' CHECK (ends_at > begins_at),
    addresses text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (pool, serial)
);
COMMENT ON TABLE coterie.license_entitlement IS 'One row per pool and file: how many seats, from when to when.';
COMMENT ON COLUMN coterie.license_entitlement.pool IS 'Pool that it is for.';
COMMENT ON COLUMN coterie.license_entitlement.serial IS 'File that it comes from; plain: an operator''s word.';
COMMENT ON COLUMN coterie.license_entitlement.seats IS 'Seats.';
COMMENT ON COLUMN coterie.license_entitlement.begins_at IS 'When it begins.';
COMMENT ON COLUMN coterie.license_entitlement.ends_at IS 'When it ends: holders keep their seats, and nobody gets another.';
COMMENT ON COLUMN coterie.license_entitlement.addresses IS 'Addresses of nodes that it is bound to; empty for any.';

-- A rule for a user, a group or a node; a group's members are rows.
CREATE TABLE coterie.license_rule (
    pool     text NOT NULL REFERENCES coterie.license_pool ON DELETE CASCADE,
    subject  text NOT NULL CHECK (subject IN ('user', 'group', 'node')),
    name     text NOT NULL CHECK (name <> ''),
    reserved integer NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND 1000000),
    most     integer CHECK (most BETWEEN 0 AND 1000000),
    access   text NOT NULL DEFAULT 'any' CHECK (access IN ('any', 'include', 'exclude')),
    PRIMARY KEY (pool, subject, name)
);
COMMENT ON TABLE coterie.license_rule IS 'One row per user, group or node that a pool treats specially.';
COMMENT ON COLUMN coterie.license_rule.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_rule.subject IS 'user, group or node.';
COMMENT ON COLUMN coterie.license_rule.name IS 'Its name; a user''s as the pool compares users.';
COMMENT ON COLUMN coterie.license_rule.reserved IS 'Seats that nobody else gets.';
COMMENT ON COLUMN coterie.license_rule.most IS 'Most seats that it gets together; null for no limit.';
COMMENT ON COLUMN coterie.license_rule.access IS 'include: only who is included gets seats; exclude: gets none.';

CREATE TABLE coterie.license_member (
    pool text NOT NULL REFERENCES coterie.license_pool ON DELETE CASCADE,
    grp  text NOT NULL CHECK (grp <> ''),
    who  text NOT NULL CHECK (who <> ''),
    PRIMARY KEY (pool, who, grp)
);
COMMENT ON TABLE coterie.license_member IS 'One row per member of a group that a pool has rules for.';
COMMENT ON COLUMN coterie.license_member.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_member.grp IS 'Group.';
COMMENT ON COLUMN coterie.license_member.who IS 'User, as the pool compares users.';

-- A named user. Its place stays taken for the pool's cooldown after the name was removed.
CREATE TABLE coterie.license_name (
    pool       text NOT NULL REFERENCES coterie.license_pool ON DELETE CASCADE,
    who        text NOT NULL CHECK (who <> ''),
    name       text NOT NULL,
    since      timestamptz NOT NULL DEFAULT coterie.clock(),
    removed_at timestamptz,
    PRIMARY KEY (pool, who)
);
COMMENT ON TABLE coterie.license_name IS 'One row per named user of a pool.';
COMMENT ON COLUMN coterie.license_name.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_name.who IS 'User, as the pool compares users.';
COMMENT ON COLUMN coterie.license_name.name IS 'User, as it was written.';
COMMENT ON COLUMN coterie.license_name.since IS 'Since when.';
COMMENT ON COLUMN coterie.license_name.removed_at IS 'When the name was removed; null while it may be used.';

-- A seat is a row. Those of the entitlement have numbers from 1 up and exist whether held or not, so that a seat
-- too many cannot be written; those beyond it have negative numbers and exist while they are held.
CREATE TABLE coterie.license_seat (
    pool         text NOT NULL REFERENCES coterie.license_pool ON DELETE RESTRICT,
    number       integer NOT NULL CHECK (number <> 0),
    kind         text NOT NULL DEFAULT 'seat' CHECK (kind IN ('seat', 'overdraft', 'excess')),
    key          text,
    part         integer,
    who          text,
    holder       text,
    node         text,
    since        timestamptz,
    linger_until timestamptz,
    escrow       bigint,
    PRIMARY KEY (pool, number),
    CONSTRAINT beyond_is_negative CHECK ((number < 0) = (kind <> 'seat')),
    CONSTRAINT held_or_not CHECK ((key IS NULL) = (part IS NULL) AND (key IS NULL) = (who IS NULL) AND (key IS NULL) = (since IS NULL)),
    CONSTRAINT held_or_escrowed CHECK (key IS NULL OR escrow IS NULL),
    CONSTRAINT beyond_is_held CHECK (number > 0 OR key IS NOT NULL)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- One user has one seat (and its parts, where a checkout takes several), whatever the nodes.
CREATE UNIQUE INDEX license_seat_holder ON coterie.license_seat (pool, key, part) WHERE key IS NOT NULL;
CREATE INDEX license_seat_free ON coterie.license_seat (pool, number) WHERE key IS NULL AND escrow IS NULL;
CREATE INDEX license_seat_escrow ON coterie.license_seat (pool, escrow) WHERE escrow IS NOT NULL;
CREATE INDEX license_seat_linger ON coterie.license_seat (pool, linger_until) WHERE linger_until IS NOT NULL;
COMMENT ON TABLE coterie.license_seat IS 'One row per seat of the entitlement, and one per seat that is held beyond it.';
COMMENT ON COLUMN coterie.license_seat.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_seat.number IS 'From 1 up for seats of the entitlement; negative beyond it.';
COMMENT ON COLUMN coterie.license_seat.kind IS 'seat, overdraft (granted beyond the entitlement by the pool''s rule) or excess (somebody at work whom no free seat was left for).';
COMMENT ON COLUMN coterie.license_seat.key IS 'What shares this seat, as the pool''s rule says; null while nobody holds it.';
COMMENT ON COLUMN coterie.license_seat.part IS 'Which of the seats of one checkout it is, from 1.';
COMMENT ON COLUMN coterie.license_seat.who IS 'User, as the pool compares users.';
COMMENT ON COLUMN coterie.license_seat.holder IS 'User, as it was written at the checkout.';
COMMENT ON COLUMN coterie.license_seat.node IS 'Node that checked it out first.';
COMMENT ON COLUMN coterie.license_seat.since IS 'Since when it is held.';
COMMENT ON COLUMN coterie.license_seat.linger_until IS 'Nobody uses it any more, and it stays its holder''s until then.';
COMMENT ON COLUMN coterie.license_seat.escrow IS 'Incarnation of the node that keeps it in advance.';

-- A use is a reason why a seat is held. It has no expiry: it is live exactly while its (node, incarnation) is a
-- session. Uses of sessions that ended are void, and are taken back before the next decision in their pool.
CREATE TABLE coterie.license_use (
    pool        text NOT NULL,
    key         text NOT NULL,
    node        text NOT NULL,
    incarnation bigint NOT NULL,
    session     text NOT NULL,
    holder      text NOT NULL,
    host        text NOT NULL DEFAULT '',
    by_sql      boolean NOT NULL DEFAULT false,
    since       timestamptz NOT NULL,
    renewed_at  timestamptz NOT NULL,
    PRIMARY KEY (pool, key, node, incarnation, session)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE coterie.license_use IS 'One row per reason why a seat is held: a session of an application on a node.';
COMMENT ON COLUMN coterie.license_use.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_use.key IS 'Key of the seat.';
COMMENT ON COLUMN coterie.license_use.node IS 'Node on which it is used.';
COMMENT ON COLUMN coterie.license_use.incarnation IS 'Life of that node.';
COMMENT ON COLUMN coterie.license_use.session IS 'Session of the application; may be empty.';
COMMENT ON COLUMN coterie.license_use.holder IS 'User, as it was written.';
COMMENT ON COLUMN coterie.license_use.host IS 'Host of the user; may be empty.';
COMMENT ON COLUMN coterie.license_use.by_sql IS 'Whether an SQL client made it: then the database watches that it does not idle, else the agent does.';
COMMENT ON COLUMN coterie.license_use.since IS 'When it was checked out.';
COMMENT ON COLUMN coterie.license_use.renewed_at IS 'When it was renewed last, as far as the database knows.';

-- What a node sends carries a rising number. What comes after something later was sent by a process that has
-- given it up, and is refused: no late statement frees or takes a seat.
CREATE TABLE coterie.license_desk (
    node        text PRIMARY KEY,
    incarnation bigint NOT NULL,
    number      bigint NOT NULL
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE coterie.license_desk IS 'One row per node that ever asked for seats: the number of the last batch that counted.';
COMMENT ON COLUMN coterie.license_desk.node IS 'Node.';
COMMENT ON COLUMN coterie.license_desk.incarnation IS 'Life of the node that the number belongs to.';
COMMENT ON COLUMN coterie.license_desk.number IS 'Number of its last batch.';

-- Seats that a node keeps in advance, to grant while the database is away. They are the one thing with an end of
-- its own, and it takes two clocks: the database's, and that of a node which saw the row unchanged for so long.
CREATE TABLE coterie.license_escrow (
    pool        text NOT NULL REFERENCES coterie.license_pool ON DELETE RESTRICT,
    incarnation bigint NOT NULL,
    node        text NOT NULL,
    login       name NOT NULL DEFAULT session_user,
    stamp       bigint NOT NULL DEFAULT 1,
    lasts       interval NOT NULL,
    ends_at     timestamptz NOT NULL,
    PRIMARY KEY (pool, incarnation)
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.license_escrow IS 'One row per pool and node that keeps seats in advance.';
COMMENT ON COLUMN coterie.license_escrow.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_escrow.incarnation IS 'Life of the node.';
COMMENT ON COLUMN coterie.license_escrow.node IS 'Node.';
COMMENT ON COLUMN coterie.license_escrow.login IS 'Role that the node logged in with; no other may act for it.';
COMMENT ON COLUMN coterie.license_escrow.stamp IS 'Rises with each renewal: others watch it stand still before they take the seats back.';
COMMENT ON COLUMN coterie.license_escrow.lasts IS 'How long the seats are the node''s after a renewal.';
COMMENT ON COLUMN coterie.license_escrow.ends_at IS 'When that is over, by the database''s clock.';

-- The ledger of seats. The kernel's own ledger wakes agents, and seats move a thousand times as often.
CREATE TABLE coterie.license_event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    pool    text NOT NULL,
    kind    text NOT NULL,
    key     text NOT NULL,
    holder  text NOT NULL DEFAULT '',
    node    text,
    session text,
    seats   integer NOT NULL DEFAULT 0,
    over    integer NOT NULL DEFAULT 0,
    reason  text
) WITH (autovacuum_vacuum_insert_scale_factor = 0.2);
COMMENT ON TABLE coterie.license_event IS 'The ledger of seats, insert-only: in the order of id per pool.';
COMMENT ON COLUMN coterie.license_event.id IS 'Number of the event; within a pool in the order in which it happened.';
COMMENT ON COLUMN coterie.license_event.at IS 'When, by the database''s clock.';
COMMENT ON COLUMN coterie.license_event.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_event.kind IS 'granted, overdraft, excess, shared, left, lingers, released, reclaimed, idle, settled; away: granted by a node without the database.';
COMMENT ON COLUMN coterie.license_event.key IS 'Key of the seat.';
COMMENT ON COLUMN coterie.license_event.holder IS 'User, as it was written.';
COMMENT ON COLUMN coterie.license_event.node IS 'Node.';
COMMENT ON COLUMN coterie.license_event.session IS 'Session of the application.';
COMMENT ON COLUMN coterie.license_event.seats IS 'By how much the number of held seats changed.';
COMMENT ON COLUMN coterie.license_event.over IS 'By how much the number of seats held beyond the entitlement changed.';
COMMENT ON COLUMN coterie.license_event.reason IS 'Why, in words.';
CREATE TRIGGER license_event_is_final BEFORE UPDATE ON coterie.license_event
    FOR EACH ROW EXECUTE FUNCTION coterie.event_is_final();

-- Peaks are kept in the statement that changes the number, so they are exact. An hour without a row had no change.
CREATE TABLE coterie.license_peak (
    pool    text NOT NULL REFERENCES coterie.license_pool ON DELETE CASCADE,
    hour    timestamptz NOT NULL,
    peak    integer NOT NULL CHECK (peak >= 0),
    over    integer NOT NULL DEFAULT 0 CHECK (over >= 0),
    closing integer NOT NULL CHECK (closing BETWEEN 0 AND peak),
    entitled integer NOT NULL,
    PRIMARY KEY (pool, hour)
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.license_peak IS 'One row per pool and hour in which seats moved.';
COMMENT ON COLUMN coterie.license_peak.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_peak.hour IS 'Beginning of the hour.';
COMMENT ON COLUMN coterie.license_peak.peak IS 'Most seats held at once in it, also beyond the entitlement.';
COMMENT ON COLUMN coterie.license_peak.over IS 'Most seats held at once beyond the entitlement.';
COMMENT ON COLUMN coterie.license_peak.closing IS 'Seats held after the last change in it.';
COMMENT ON COLUMN coterie.license_peak.entitled IS 'Entitlement at that last change.';

CREATE TABLE coterie.license_denial (
    pool     text NOT NULL REFERENCES coterie.license_pool ON DELETE CASCADE,
    hour     timestamptz NOT NULL,
    key      text NOT NULL,
    reason   text NOT NULL,
    holder   text NOT NULL,
    node     text NOT NULL,
    times    bigint NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (pool, hour, key, reason)
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.license_denial IS 'One row per pool, hour, holder and reason: what was refused.';
COMMENT ON COLUMN coterie.license_denial.pool IS 'Pool.';
COMMENT ON COLUMN coterie.license_denial.hour IS 'Beginning of the hour.';
COMMENT ON COLUMN coterie.license_denial.key IS 'Key of the seat that was asked for.';
COMMENT ON COLUMN coterie.license_denial.reason IS 'Why it was refused.';
COMMENT ON COLUMN coterie.license_denial.holder IS 'User, as it was written last.';
COMMENT ON COLUMN coterie.license_denial.node IS 'Node that asked last.';
COMMENT ON COLUMN coterie.license_denial.times IS 'How often.';
COMMENT ON COLUMN coterie.license_denial.first_at IS 'The first time.';
COMMENT ON COLUMN coterie.license_denial.last_at IS 'The last time.';

-- Licence servers of other makers: coterie looks whether they answer, from every node.
CREATE TABLE coterie.license_server (
    place integer PRIMARY KEY CHECK (place BETWEEN 1 AND 9),
    host  text NOT NULL CHECK (host ~ '^[A-Za-z0-9.:_-]{1,253}$'),
    port  integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    UNIQUE (host, port)
);
COMMENT ON TABLE coterie.license_server IS 'One row per external licence server, the same list for all nodes.';
COMMENT ON COLUMN coterie.license_server.place IS 'Its place in the list, from 1.';
COMMENT ON COLUMN coterie.license_server.host IS 'Host.';
COMMENT ON COLUMN coterie.license_server.port IS 'Port.';

CREATE TABLE coterie.license_sight (
    node       text NOT NULL,
    host       text NOT NULL,
    port       integer NOT NULL,
    answers    boolean NOT NULL,
    latency_ms real,
    reason     text NOT NULL DEFAULT '',
    since      timestamptz NOT NULL,
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (node, host, port)
) WITH (fillfactor = 50);
COMMENT ON TABLE coterie.license_sight IS 'One row per node and external licence server: whether it answers there.';
COMMENT ON COLUMN coterie.license_sight.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.license_sight.host IS 'Host of the server.';
COMMENT ON COLUMN coterie.license_sight.port IS 'Port of the server.';
COMMENT ON COLUMN coterie.license_sight.answers IS 'Whether it took a connection.';
COMMENT ON COLUMN coterie.license_sight.latency_ms IS 'How long that took, in milliseconds.';
COMMENT ON COLUMN coterie.license_sight.reason IS 'Why not.';
COMMENT ON COLUMN coterie.license_sight.since IS 'Since when it is so.';
COMMENT ON COLUMN coterie.license_sight.checked_at IS 'When the node reported it last.';

-- What one step did: by how much the held seats changed, and what to tell.
CREATE TYPE coterie.license_step AS (answer text, seat integer, kind text, seats integer, over integer, reason text);
