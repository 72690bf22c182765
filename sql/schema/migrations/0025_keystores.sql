-- Versions of keystores, sealed so that only the nodes of the cluster, and who has the recovery key, can open them.

CREATE TYPE coterie.keystore_state AS ENUM ('staged', 'active', 'retired', 'rejected');
COMMENT ON TYPE coterie.keystore_state IS 'What became of a version of a keystore.';

-- Whom versions are sealed to. A node signs its sealing key with its identity, so that a row that somebody
-- else wrote is not believed: the id of the node is the fingerprint of that identity.
CREATE TABLE coterie.keystore_recipient (
    name         text PRIMARY KEY,
    node         text UNIQUE REFERENCES coterie.node (name) ON DELETE CASCADE,
    identity     bytea CHECK (length(identity) = 32),
    seal         bytea NOT NULL CHECK (length(seal) BETWEEN 32 AND 2000),
    signature    bytea CHECK (length(signature) = 64),
    fingerprint  text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    published_at timestamptz NOT NULL DEFAULT coterie.clock(),
    published_by text NOT NULL DEFAULT session_user,
    -- A node is called as it is; what is called recovery/... is nobody's but the administrator's.
    CONSTRAINT node_or_recovery CHECK (CASE WHEN node IS NULL THEN name ~ '^recovery/[0-9a-f]{16}$' AND identity IS NULL
                                            ELSE name = node AND identity IS NOT NULL AND signature IS NOT NULL END)
);
COMMENT ON TABLE coterie.keystore_recipient IS 'A row for each key that versions of keystores are sealed to: one per node, and recovery keys.';
COMMENT ON COLUMN coterie.keystore_recipient.name IS 'Name of the node, or recovery/ and the beginning of the key''s fingerprint.';
COMMENT ON COLUMN coterie.keystore_recipient.node IS 'Node whose key it is; null for a recovery key.';
COMMENT ON COLUMN coterie.keystore_recipient.identity IS 'Public key of the node''s identity, whose fingerprint is the node''s id.';
COMMENT ON COLUMN coterie.keystore_recipient.seal IS 'Public key that is sealed to (ML-KEM-768 with X25519).';
COMMENT ON COLUMN coterie.keystore_recipient.signature IS 'The identity''s signature of the sealing key.';
COMMENT ON COLUMN coterie.keystore_recipient.fingerprint IS 'SHA-256 of the sealing key.';
COMMENT ON COLUMN coterie.keystore_recipient.published_at IS 'When it was published.';
COMMENT ON COLUMN coterie.keystore_recipient.published_by IS 'Role that published it.';

CREATE TABLE coterie.keystore (
    name        text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    version     bigint NOT NULL CHECK (version > 0),
    state       coterie.keystore_state NOT NULL DEFAULT 'staged',
    format      text NOT NULL CHECK (format IN ('pkcs12', 'jks')),
    bytes       integer NOT NULL CHECK (bytes BETWEEN 1 AND 4194304),
    sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    alias       text NOT NULL CHECK (length(alias) BETWEEN 1 AND 1024),
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    subject     text NOT NULL CHECK (length(subject) <= 2000),
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    content     bytea NOT NULL CHECK (length(content) BETWEEN 1 AND 6291456),
    staged_at   timestamptz NOT NULL DEFAULT coterie.clock(),
    staged_by   text NOT NULL DEFAULT session_user,
    reason      text CHECK (length(reason) <= 2000),
    PRIMARY KEY (name, version)
);
-- A server has one certificate.
CREATE UNIQUE INDEX keystore_active ON coterie.keystore (name) WHERE state = 'active';
COMMENT ON TABLE coterie.keystore IS 'A row per version of a keystore. What it has is encrypted; how to open it stands in coterie.keystore_copy, once for each recipient.';
COMMENT ON COLUMN coterie.keystore.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore.version IS 'Number of the version, rising by one.';
COMMENT ON COLUMN coterie.keystore.state IS 'staged, active, retired or rejected.';
COMMENT ON COLUMN coterie.keystore.format IS 'pkcs12 or jks.';
COMMENT ON COLUMN coterie.keystore.bytes IS 'Length of the file.';
COMMENT ON COLUMN coterie.keystore.sha256 IS 'SHA-256 of the file.';
COMMENT ON COLUMN coterie.keystore.alias IS 'Alias of the key that servers use.';
COMMENT ON COLUMN coterie.keystore.fingerprint IS 'SHA-256 of the certificate of that key.';
COMMENT ON COLUMN coterie.keystore.subject IS 'Subject of that certificate.';
COMMENT ON COLUMN coterie.keystore.not_before IS 'When that certificate begins to be valid.';
COMMENT ON COLUMN coterie.keystore.not_after IS 'When it ends.';
COMMENT ON COLUMN coterie.keystore.content IS 'File and passwords, encrypted with AES-256-GCM by a key of this version alone.';
COMMENT ON COLUMN coterie.keystore.staged_at IS 'When it was staged.';
COMMENT ON COLUMN coterie.keystore.staged_by IS 'Role that staged it.';
COMMENT ON COLUMN coterie.keystore.reason IS 'Why, in that person''s words.';

CREATE TABLE coterie.keystore_copy (
    name      text NOT NULL,
    version   bigint NOT NULL,
    recipient text NOT NULL REFERENCES coterie.keystore_recipient (name) ON DELETE CASCADE,
    -- The sealing key that it was sealed to: a node with a new identity needs another copy.
    seal      text NOT NULL CHECK (seal ~ '^[0-9a-f]{64}$'),
    key       bytea NOT NULL CHECK (length(key) BETWEEN 1 AND 4000),
    sealed_at timestamptz NOT NULL DEFAULT coterie.clock(),
    sealed_by text NOT NULL DEFAULT session_user,
    PRIMARY KEY (name, version, recipient),
    FOREIGN KEY (name, version) REFERENCES coterie.keystore (name, version) ON DELETE CASCADE
);
COMMENT ON TABLE coterie.keystore_copy IS 'The key of a version, sealed to one recipient. It opens under its cluster, name, version and recipient only.';
COMMENT ON COLUMN coterie.keystore_copy.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_copy.version IS 'Its version.';
COMMENT ON COLUMN coterie.keystore_copy.recipient IS 'Who can open it.';
COMMENT ON COLUMN coterie.keystore_copy.seal IS 'Fingerprint of the sealing key.';
COMMENT ON COLUMN coterie.keystore_copy.key IS 'The key of the version, sealed.';
COMMENT ON COLUMN coterie.keystore_copy.sealed_at IS 'When it was sealed.';
COMMENT ON COLUMN coterie.keystore_copy.sealed_by IS 'Role that sealed it.';
