-- needs 32
-- What of keystores lies on the share, and how a certificate is renewed before it ends.

CREATE TABLE coterie.encryption (
    path        text NOT NULL CHECK (length(path) BETWEEN 1 AND 1000),
    sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    recorded_at timestamptz NOT NULL DEFAULT coterie.clock(),
    recorded_by text NOT NULL DEFAULT session_user,
    reason      text CHECK (length(reason) <= 2000)
);
-- The cluster has one, or none.
CREATE UNIQUE INDEX encryption_one ON coterie.encryption ((true));
COMMENT ON TABLE coterie.encryption IS 'The encryption keystore that all nodes must see: one row, or none until a node has seen one.';
COMMENT ON COLUMN coterie.encryption.path IS 'Its path below the share, as the node calls it that saw it first.';
COMMENT ON COLUMN coterie.encryption.sha256 IS 'SHA-256 of the file.';
COMMENT ON COLUMN coterie.encryption.recorded_at IS 'When it was first seen, or accepted.';
COMMENT ON COLUMN coterie.encryption.recorded_by IS 'Role of the node that saw it first, or of who accepted it.';
COMMENT ON COLUMN coterie.encryption.reason IS 'Why it was accepted, in that person''s words.';

CREATE TABLE coterie.encryption_node (
    node        text PRIMARY KEY REFERENCES coterie.node (name) ON DELETE CASCADE,
    incarnation bigint NOT NULL,
    path        text NOT NULL CHECK (length(path) BETWEEN 1 AND 1000),
    sha256      text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    error       text NOT NULL CHECK (length(error) <= 2000),
    seen_at     timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.encryption_node IS 'What a node sees of the encryption keystore.';
COMMENT ON COLUMN coterie.encryption_node.node IS 'Node that looked.';
COMMENT ON COLUMN coterie.encryption_node.incarnation IS 'Life of the node in which it looked.';
COMMENT ON COLUMN coterie.encryption_node.path IS 'Path below the share at which it looked.';
COMMENT ON COLUMN coterie.encryption_node.sha256 IS 'SHA-256 of what is there; null when nothing is, or it could not be read.';
COMMENT ON COLUMN coterie.encryption_node.error IS 'Why it could not be read.';
COMMENT ON COLUMN coterie.encryption_node.seen_at IS 'When it first saw it so.';

CREATE TABLE coterie.keystore_file (
    name       text PRIMARY KEY,
    path       text NOT NULL CHECK (length(path) BETWEEN 1 AND 1000),
    version    bigint,
    sha256     text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    node       text NOT NULL,
    token      bigint NOT NULL,
    error      text NOT NULL CHECK (length(error) <= 2000),
    written_at timestamptz,
    seen_at    timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.keystore_file IS 'The copy of a keystore on the share, which one node writes under a lease.';
COMMENT ON COLUMN coterie.keystore_file.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.keystore_file.path IS 'Path of the copy below the share.';
COMMENT ON COLUMN coterie.keystore_file.version IS 'Version that it has; null when it is none of the database''s.';
COMMENT ON COLUMN coterie.keystore_file.sha256 IS 'SHA-256 of the file; null when there is none.';
COMMENT ON COLUMN coterie.keystore_file.node IS 'Node that looked last.';
COMMENT ON COLUMN coterie.keystore_file.token IS 'Token of the lease under which it did.';
COMMENT ON COLUMN coterie.keystore_file.error IS 'Why it could not be written.';
COMMENT ON COLUMN coterie.keystore_file.written_at IS 'When it was written last; null when it was as it should be.';
COMMENT ON COLUMN coterie.keystore_file.seen_at IS 'When this was told.';

CREATE TABLE coterie.renewal (
    name       text PRIMARY KEY,
    node       text NOT NULL,
    token      bigint NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT coterie.clock(),
    ended_at   timestamptz,
    version    bigint,
    failures   bigint NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failing    timestamptz,
    error      text NOT NULL DEFAULT '' CHECK (length(error) <= 2000),
    next_at    timestamptz NOT NULL,
    CONSTRAINT failing_while_it_fails CHECK ((failing IS NULL) = (failures = 0))
);
COMMENT ON TABLE coterie.renewal IS 'The last attempt to renew the certificate of a keystore by a program of a node.';
COMMENT ON COLUMN coterie.renewal.name IS 'Name of the keystore.';
COMMENT ON COLUMN coterie.renewal.node IS 'Node that ran the program.';
COMMENT ON COLUMN coterie.renewal.token IS 'Token of the lease under which it did.';
COMMENT ON COLUMN coterie.renewal.begun_at IS 'When the attempt began.';
COMMENT ON COLUMN coterie.renewal.ended_at IS 'When it ended; null while it goes on, or when its node died.';
COMMENT ON COLUMN coterie.renewal.version IS 'Version that was staged; null when none was.';
COMMENT ON COLUMN coterie.renewal.failures IS 'Attempts in a row that failed.';
COMMENT ON COLUMN coterie.renewal.failing IS 'When the first of them ended.';
COMMENT ON COLUMN coterie.renewal.error IS 'Why the last one failed.';
COMMENT ON COLUMN coterie.renewal.next_at IS 'Not before this another attempt begins.';
