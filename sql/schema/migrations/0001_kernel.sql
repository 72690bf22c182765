-- The kernel: the clock, the cluster, its settings, nodes, sessions, leases and the ledger.

-- clock is the only clock that decides between nodes. functions/clock.sql applies it again;
-- it stands here too because tables below default to it.
CREATE FUNCTION coterie.clock() RETURNS timestamptz
LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp()';

CREATE TYPE coterie.node_goal AS ENUM ('ready', 'drained');
CREATE TYPE coterie.node_state AS ENUM ('joining', 'ready', 'draining', 'drained', 'leaving', 'left', 'evicted');

-- One database holds one cluster.
CREATE TABLE coterie.cluster (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    name       text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Tokens are (era << 40) + a counter, so an era step puts every new token above every old one.
    era        bigint NOT NULL DEFAULT 0 CHECK (era BETWEEN 0 AND 4194303),
    era_since  timestamptz NOT NULL DEFAULT '-infinity',
    era_quiet  interval NOT NULL DEFAULT '0',
    era_settled boolean NOT NULL DEFAULT true,
    era_reason text NOT NULL DEFAULT 'the cluster was initialised',
    history    text NOT NULL,
    timeline   bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.cluster IS 'The cluster that lives in this database: one row.';
COMMENT ON COLUMN coterie.cluster.one IS 'Always true: there is one row.';
COMMENT ON COLUMN coterie.cluster.name IS 'Name of the cluster, as each node''s configuration must say it.';
COMMENT ON COLUMN coterie.cluster.id IS 'Identity of the cluster, made once; the marker file on the share carries it too.';
COMMENT ON COLUMN coterie.cluster.era IS 'High part of every token; steps up when the database''s history may have been cut.';
COMMENT ON COLUMN coterie.cluster.era_since IS 'When the era began.';
COMMENT ON COLUMN coterie.cluster.era_quiet IS 'For how long after that a node may still trust in its session of the era before.';
COMMENT ON COLUMN coterie.cluster.era_settled IS 'Whether that time has passed, by this database''s clock and by a node''s own; nothing is granted before.';
COMMENT ON COLUMN coterie.cluster.era_reason IS 'Why it began.';
COMMENT ON COLUMN coterie.cluster.history IS 'The database that this era belongs to, as coterie.history() told it: another server, database or schema begins another era.';
COMMENT ON COLUMN coterie.cluster.timeline IS 'The timeline that this era belongs to, as coterie.timeline() told it: a restore or promotion begins another era.';
COMMENT ON COLUMN coterie.cluster.created_at IS 'When the cluster was initialised.';

-- Values that must be equal on all nodes.
CREATE TABLE coterie.setting (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    session_ttl interval NOT NULL DEFAULT '6s',
    heartbeat   interval NOT NULL DEFAULT '1.5s',
    margin      interval NOT NULL DEFAULT '1.5s',
    generation  bigint NOT NULL DEFAULT 1,
    changed_by  text NOT NULL DEFAULT session_user,
    changed_at  timestamptz NOT NULL DEFAULT coterie.clock(),
    -- A node must be able to miss one heartbeat and still stop its work before its session can end.
    CONSTRAINT terms_leave_room CHECK (2 * heartbeat + margin < session_ttl),
    CONSTRAINT terms_are_sane CHECK (heartbeat >= '50ms' AND margin >= '50ms' AND session_ttl <= '10min')
);
COMMENT ON TABLE coterie.setting IS 'Values that must be equal on all nodes: one row.';
COMMENT ON COLUMN coterie.setting.one IS 'Always true: there is one row.';
COMMENT ON COLUMN coterie.setting.session_ttl IS 'How long a session outlives its last heartbeat.';
COMMENT ON COLUMN coterie.setting.heartbeat IS 'How often a node renews its session.';
COMMENT ON COLUMN coterie.setting.margin IS 'How long before the end of its session a node stops trusting it.';
COMMENT ON COLUMN coterie.setting.generation IS 'Number of the change that made this row what it is.';
COMMENT ON COLUMN coterie.setting.changed_by IS 'Role that changed it last.';
COMMENT ON COLUMN coterie.setting.changed_at IS 'When it was changed last.';

-- A node is one installation of the application, known by name and by the key made when it joined.
-- Operators write the goal, the node reports the state.
CREATE TABLE coterie.node (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    id          text NOT NULL UNIQUE,
    address     text NOT NULL DEFAULT '',
    host        text NOT NULL DEFAULT '',
    version     text NOT NULL DEFAULT '',
    app_version text NOT NULL DEFAULT '',
    tags        text[] NOT NULL DEFAULT '{}',
    candidate   boolean NOT NULL DEFAULT true,
    actions     text[] NOT NULL DEFAULT '{}',
    goal        coterie.node_goal NOT NULL DEFAULT 'ready',
    goal_by     text,
    goal_reason text,
    goal_at     timestamptz,
    state       coterie.node_state NOT NULL DEFAULT 'joining',
    state_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    message     text NOT NULL DEFAULT '',
    joined_at   timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.node IS 'One row per node, kept when the node leaves.';
COMMENT ON COLUMN coterie.node.name IS 'Name of the node, unique in the cluster.';
COMMENT ON COLUMN coterie.node.id IS 'Fingerprint of the key made when the node joined; a copied installation shows the same id on two hosts.';
COMMENT ON COLUMN coterie.node.address IS 'Address under which other nodes and people reach this node.';
COMMENT ON COLUMN coterie.node.host IS 'Host name the node runs on.';
COMMENT ON COLUMN coterie.node.version IS 'Version of coterie that the node runs.';
COMMENT ON COLUMN coterie.node.app_version IS 'Version of the application, read from app.version_file or app.version.';
COMMENT ON COLUMN coterie.node.tags IS 'Labels from the node''s configuration.';
COMMENT ON COLUMN coterie.node.candidate IS 'False for a front-end-only node, which never holds leases.';
COMMENT ON COLUMN coterie.node.actions IS 'Names of the actions that the node''s configuration defines.';
COMMENT ON COLUMN coterie.node.goal IS 'What operators want of the node.';
COMMENT ON COLUMN coterie.node.goal_by IS 'Who set the goal.';
COMMENT ON COLUMN coterie.node.goal_reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.node.goal_at IS 'When the goal was set.';
COMMENT ON COLUMN coterie.node.state IS 'What the node last reported of itself.';
COMMENT ON COLUMN coterie.node.state_at IS 'When it reported that state first.';
COMMENT ON COLUMN coterie.node.message IS 'What the node wants people to know about its state.';
COMMENT ON COLUMN coterie.node.joined_at IS 'When the node joined for the first time.';

-- State machines are tables of edges; whoever reports a state is held to them.
CREATE TABLE coterie.transition (
    machine    text NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    rule       text NOT NULL,
    PRIMARY KEY (machine, from_state, to_state)
);
COMMENT ON TABLE coterie.transition IS 'One row per allowed edge of a state machine.';
COMMENT ON COLUMN coterie.transition.machine IS 'What changes state: node.';
COMMENT ON COLUMN coterie.transition.from_state IS 'State before.';
COMMENT ON COLUMN coterie.transition.to_state IS 'State after.';
COMMENT ON COLUMN coterie.transition.rule IS 'When that happens.';
INSERT INTO coterie.transition (machine, from_state, to_state, rule) VALUES
    ('node', 'joining', 'ready', 'the share is proved'),
    ('node', 'joining', 'draining', 'the goal is drained'),
    ('node', 'ready', 'draining', 'the goal is drained'),
    ('node', 'draining', 'drained', 'nothing is held any more'),
    ('node', 'draining', 'ready', 'the goal is ready'),
    ('node', 'drained', 'ready', 'the goal is ready'),
    ('node', 'leaving', 'left', 'nothing is held any more'),
    ('node', 'joining', 'leaving', 'the node was told to stop'),
    ('node', 'ready', 'leaving', 'the node was told to stop'),
    ('node', 'draining', 'leaving', 'the node was told to stop'),
    ('node', 'drained', 'leaving', 'the node was told to stop'),
    ('node', 'ready', 'joining', 'the process starts'),
    ('node', 'draining', 'joining', 'the process starts'),
    ('node', 'drained', 'joining', 'the process starts'),
    ('node', 'leaving', 'joining', 'the process starts'),
    ('node', 'left', 'joining', 'the process starts');

-- Only the session expires. It is one life of one node; leases, seats and runs hang off it.
-- Every heartbeat updates the row in place (no index on what changes, room in the page: HOT).
CREATE TABLE coterie.session (
    node        text PRIMARY KEY CHECK (length(node) BETWEEN 1 AND 200 AND node !~ '[[:cntrl:]]'),
    incarnation bigint NOT NULL CHECK (incarnation > 0),
    beats       bigint NOT NULL DEFAULT 0,
    ttl         interval NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT coterie.clock(),
    renewed_at  timestamptz NOT NULL DEFAULT coterie.clock(),
    expires_at  timestamptz NOT NULL,
    rtt_ms      real NOT NULL DEFAULT 0,
    takes       text[] NOT NULL DEFAULT '{}',
    login       name NOT NULL DEFAULT session_user
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE coterie.session IS 'One row per living node: its session. Expiry permits others to end it; until it is ended its node may renew it.';
COMMENT ON COLUMN coterie.session.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.session.incarnation IS 'Number of this life of the node: random, never reused.';
COMMENT ON COLUMN coterie.session.beats IS 'Heartbeats so far in this life; other nodes watch it stand still before they end the session.';
COMMENT ON COLUMN coterie.session.ttl IS 'Time to live that the last heartbeat was given.';
COMMENT ON COLUMN coterie.session.started_at IS 'When this life began.';
COMMENT ON COLUMN coterie.session.renewed_at IS 'When the last heartbeat arrived.';
COMMENT ON COLUMN coterie.session.expires_at IS 'When others may end the session, by the database''s clock.';
COMMENT ON COLUMN coterie.session.rtt_ms IS 'How long the node''s previous heartbeat took, in milliseconds.';
COMMENT ON COLUMN coterie.session.takes IS 'Classes of leases that the node takes; empty while it drains or leaves, and for a front end.';
COMMENT ON COLUMN coterie.session.login IS 'Role that the node logged in with; no other may act for this session.';

-- Tokens come from one counter, so that a deleted and re-created lease row cannot repeat one.
CREATE SEQUENCE coterie.token_seq AS bigint MAXVALUE 1099511627775;
COMMENT ON SEQUENCE coterie.token_seq IS 'Low part of tokens.';

-- A lease has no expiry of its own: it is valid exactly while its (node, incarnation) is a session.
-- Missing rows mean free, never held.
CREATE TABLE coterie.lease (
    name        text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    class       text,
    node        text,
    incarnation bigint,
    token       bigint NOT NULL DEFAULT 0 CHECK (token >= 0),
    acquired_at timestamptz,
    from_node   text,
    freed_at    timestamptz,
    freed_by    text CHECK (freed_by IN ('release', 'crash', 'switchover')),
    CONSTRAINT held_by_a_life CHECK ((node IS NULL) = (incarnation IS NULL) AND (node IS NULL) = (acquired_at IS NULL))
) WITH (fillfactor = 50);
CREATE INDEX lease_holder ON coterie.lease (node, incarnation);
COMMENT ON TABLE coterie.lease IS 'One row per lease: a named authority that at most one node holds.';
COMMENT ON COLUMN coterie.lease.name IS 'Name of the lease; ours start with a word and a slash (job/NAME).';
COMMENT ON COLUMN coterie.lease.class IS 'What a node must be able to do to take it by itself (action/NAME for a job); null: only who asks for it by name.';
COMMENT ON COLUMN coterie.lease.node IS 'Node that holds it, or null when it is free.';
COMMENT ON COLUMN coterie.lease.incarnation IS 'Life of that node in which it was taken.';
COMMENT ON COLUMN coterie.lease.token IS 'Fencing token of the holder, or of the last one; rises with every new holder.';
COMMENT ON COLUMN coterie.lease.acquired_at IS 'When the holder took it.';
COMMENT ON COLUMN coterie.lease.from_node IS 'Who held it before.';
COMMENT ON COLUMN coterie.lease.freed_at IS 'Last moment at which the former holder is known to have held it.';
COMMENT ON COLUMN coterie.lease.freed_by IS 'How the former holder lost it.';

-- The ledger. Each change of the kernel's state appends its row in the statement that makes it.
CREATE TABLE coterie.event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT coterie.clock(),
    node    text,
    kind    text NOT NULL CHECK (kind ~ '^[a-z]+\.[a-z_]+$'),
    subject text NOT NULL DEFAULT '',
    token   bigint,
    peer    text,
    since   timestamptz,
    rule    text,
    actor   text NOT NULL DEFAULT session_user,
    reason  text,
    detail  jsonb
);
CREATE INDEX event_subject ON coterie.event (subject, id);
COMMENT ON TABLE coterie.event IS 'The ledger: what happened, insert-only. Its highest id tells every node whether anything changed.';
COMMENT ON COLUMN coterie.event.id IS 'Number of the event, rising.';
COMMENT ON COLUMN coterie.event.at IS 'When it happened, by the database''s clock.';
COMMENT ON COLUMN coterie.event.node IS 'Node that it concerns or that did it.';
COMMENT ON COLUMN coterie.event.kind IS 'What happened, noun.verb: lease.claimed, session.ended, node.joined.';
COMMENT ON COLUMN coterie.event.subject IS 'Name of the thing it happened to.';
COMMENT ON COLUMN coterie.event.token IS 'Fencing token concerned.';
COMMENT ON COLUMN coterie.event.peer IS 'The other node, for example the former holder.';
COMMENT ON COLUMN coterie.event.since IS 'When the state that ended here began to end, for example the last heartbeat of a dead node.';
COMMENT ON COLUMN coterie.event.rule IS 'Rule by which it was decided.';
COMMENT ON COLUMN coterie.event.actor IS 'Database role that did it.';
COMMENT ON COLUMN coterie.event.reason IS 'Reason, in words.';
COMMENT ON COLUMN coterie.event.detail IS 'Further facts.';

CREATE FUNCTION coterie.event_is_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is insert-only' USING ERRCODE = 'CT009';
END $$;
COMMENT ON FUNCTION coterie.event_is_final() IS 'Refuses to change what the ledger says.';
CREATE TRIGGER event_is_final BEFORE UPDATE ON coterie.event
    FOR EACH ROW EXECUTE FUNCTION coterie.event_is_final();

-- A hint, never a fact: whoever misses it learns the same at the next heartbeat.
CREATE FUNCTION coterie.event_hint() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, coterie, pg_temp AS $$
BEGIN
    PERFORM pg_notify('coterie', '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION coterie.event_hint() IS 'Wakes listening agents after something changed.';
CREATE TRIGGER event_hint AFTER INSERT ON coterie.event
    FOR EACH STATEMENT EXECUTE FUNCTION coterie.event_hint();
