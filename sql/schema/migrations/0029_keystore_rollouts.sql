-- A version of a keystore is brought to all nodes in two phases: every living node looks and votes, and then
-- one puts it in place, and the others after it; when one of them cannot, all go back.

CREATE TYPE coterie.keystore_phase AS ENUM ('voting', 'canary', 'rest', 'back', 'done', 'refused', 'failed', 'cancelled');
COMMENT ON TYPE coterie.keystore_phase IS 'How far a rollout of a keystore is: open in voting, canary, rest and back, ended in done, refused, failed and cancelled.';

CREATE TABLE coterie.keystore_rollout (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    version     bigint NOT NULL,
    previous    bigint,
    phase       coterie.keystore_phase NOT NULL DEFAULT 'voting',
    turn        bigint NOT NULL DEFAULT 1,
    canary      text,
    patience    interval NOT NULL CHECK (patience >= '1s'),
    begun_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    begun_by    text NOT NULL DEFAULT session_user,
    reason      text CHECK (length(reason) <= 2000),
    moved_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    ended_at    timestamptz,
    failure     text CHECK (length(failure) <= 2000),
    failed_node text,
    FOREIGN KEY (name, version) REFERENCES coterie.keystore (name, version) ON DELETE CASCADE,
    CONSTRAINT ended_when_over CHECK ((ended_at IS NULL) = (phase IN ('voting', 'canary', 'rest', 'back')))
);
-- One way at a time: who comes second is told who was first.
CREATE UNIQUE INDEX keystore_rollout_open ON coterie.keystore_rollout (name) WHERE ended_at IS NULL;
CREATE INDEX keystore_rollout_of ON coterie.keystore_rollout (name, version);
COMMENT ON TABLE coterie.keystore_rollout IS 'A row each time that a version of a keystore was brought to the nodes, or is being brought there.';
COMMENT ON COLUMN coterie.keystore_rollout.id IS 'Number of the rollout.';
COMMENT ON COLUMN coterie.keystore_rollout.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_rollout.version IS 'Version that is brought.';
COMMENT ON COLUMN coterie.keystore_rollout.previous IS 'Version that was active before; null when there was none.';
COMMENT ON COLUMN coterie.keystore_rollout.phase IS 'How far it is.';
COMMENT ON COLUMN coterie.keystore_rollout.turn IS 'Rises with each vote, report and change of phase: what was decided upon older rows is not done.';
COMMENT ON COLUMN coterie.keystore_rollout.canary IS 'Node that goes first.';
COMMENT ON COLUMN coterie.keystore_rollout.patience IS 'How long nothing may move before it goes back.';
COMMENT ON COLUMN coterie.keystore_rollout.begun_at IS 'When it was asked for.';
COMMENT ON COLUMN coterie.keystore_rollout.begun_by IS 'Role that asked for it.';
COMMENT ON COLUMN coterie.keystore_rollout.reason IS 'Why, in that person''s words.';
COMMENT ON COLUMN coterie.keystore_rollout.moved_at IS 'When a phase began, or a node was done, last.';
COMMENT ON COLUMN coterie.keystore_rollout.ended_at IS 'When it was over.';
COMMENT ON COLUMN coterie.keystore_rollout.failure IS 'Why it was refused, failed or called back.';
COMMENT ON COLUMN coterie.keystore_rollout.failed_node IS 'Node that refused it, or could not.';

CREATE TABLE coterie.keystore_vote (
    name        text NOT NULL,
    version     bigint NOT NULL,
    node        text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    incarnation bigint NOT NULL,
    ok          boolean NOT NULL,
    serves      boolean NOT NULL,
    alone       boolean NOT NULL,
    why         text NOT NULL CHECK (length(why) <= 2000),
    voted_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    PRIMARY KEY (name, version, node),
    FOREIGN KEY (name, version) REFERENCES coterie.keystore (name, version) ON DELETE CASCADE
);
COMMENT ON TABLE coterie.keystore_vote IS 'What a node found when it opened a version of a keystore and looked at it as its server would.';
COMMENT ON COLUMN coterie.keystore_vote.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_vote.version IS 'Its version.';
COMMENT ON COLUMN coterie.keystore_vote.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.keystore_vote.incarnation IS 'Life of the node in which it looked.';
COMMENT ON COLUMN coterie.keystore_vote.ok IS 'Whether it would take it.';
COMMENT ON COLUMN coterie.keystore_vote.serves IS 'Whether a server of that node serves this keystore.';
COMMENT ON COLUMN coterie.keystore_vote.alone IS 'Whether that server is restarted for it, so that no other may be at the same time.';
COMMENT ON COLUMN coterie.keystore_vote.why IS 'What is wrong with it.';
COMMENT ON COLUMN coterie.keystore_vote.voted_at IS 'When it voted.';

CREATE TYPE coterie.keystore_place AS ENUM ('proved', 'placed', 'drifted', 'failed');
COMMENT ON TYPE coterie.keystore_place IS 'What a node has of a keystore: proved by a handshake, placed with nothing to prove, drifted from what was put there, or failed to take a version up.';

CREATE TABLE coterie.keystore_node (
    name               text NOT NULL,
    node               text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    incarnation        bigint NOT NULL,
    version            bigint,
    state              coterie.keystore_place NOT NULL,
    file_sha256        text CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),
    served_fingerprint text CHECK (served_fingerprint ~ '^[0-9a-f]{64}$'),
    rollout            bigint,
    phase              coterie.keystore_phase,
    error              text NOT NULL CHECK (length(error) <= 2000),
    reported_at        timestamptz NOT NULL DEFAULT coterie.clock(),
    PRIMARY KEY (name, node)
);
COMMENT ON TABLE coterie.keystore_node IS 'What a node has in place of a keystore, and what its server showed by a handshake.';
COMMENT ON COLUMN coterie.keystore_node.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_node.node IS 'Node that reported.';
COMMENT ON COLUMN coterie.keystore_node.incarnation IS 'Life of the node in which it reported.';
COMMENT ON COLUMN coterie.keystore_node.version IS 'Version that is in place; null when it is none of the database''s.';
COMMENT ON COLUMN coterie.keystore_node.state IS 'proved, placed, drifted or failed.';
COMMENT ON COLUMN coterie.keystore_node.file_sha256 IS 'SHA-256 of the file; null when there is none.';
COMMENT ON COLUMN coterie.keystore_node.served_fingerprint IS 'SHA-256 of the certificate that the server showed; null when it showed none.';
COMMENT ON COLUMN coterie.keystore_node.rollout IS 'Rollout in which it was reported; null outside of one.';
COMMENT ON COLUMN coterie.keystore_node.phase IS 'Phase of that rollout, as the node knew it.';
COMMENT ON COLUMN coterie.keystore_node.error IS 'What went wrong.';
COMMENT ON COLUMN coterie.keystore_node.reported_at IS 'When this was reported.';

INSERT INTO coterie.transition (machine, from_state, to_state, rule) VALUES
    ('keystore', 'voting', 'canary', 'every living node would take it'),
    ('keystore', 'voting', 'refused', 'a node would not take it, or said nothing'),
    ('keystore', 'voting', 'cancelled', 'it was called back'),
    ('keystore', 'canary', 'canary', 'the canary is gone, another goes first'),
    ('keystore', 'canary', 'rest', 'the canary shows it'),
    ('keystore', 'canary', 'back', 'the canary could not, said nothing, or it was called back'),
    ('keystore', 'rest', 'done', 'every living node shows it'),
    ('keystore', 'rest', 'back', 'a node could not, said nothing, or it was called back'),
    ('keystore', 'back', 'failed', 'every living node has what it had before');
