-- Whom the servers of the cluster trust: each node publishes the certificate that its server shows, one
-- versioned trust store is made of them, every node renders it, and tries it on the others.

ALTER TABLE coterie.setting
    ADD COLUMN approval boolean NOT NULL DEFAULT false,
    ADD COLUMN trust_overlap interval NOT NULL DEFAULT '10min' CHECK (trust_overlap >= '0' AND trust_overlap <= '365 days'),
    ADD COLUMN trust_linger interval NOT NULL DEFAULT '10min' CHECK (trust_linger >= '0' AND trust_linger <= '365 days');
COMMENT ON COLUMN coterie.setting.approval IS 'Whether an installation that joins must be approved before it is ready, and before its certificate is trusted.';
COMMENT ON COLUMN coterie.setting.trust_overlap IS 'How long a certificate is trusted after its node gave it up for another.';
COMMENT ON COLUMN coterie.setting.trust_linger IS 'How long the certificates of a node are trusted after its agent left: its server may go on.';

CREATE TYPE coterie.approval_state AS ENUM ('pending', 'approved', 'withdrawn');
COMMENT ON TYPE coterie.approval_state IS 'Whether an installation may join a cluster that asks for approval.';

-- An installation is known by its id, the fingerprint of its identity: a name anybody can take, an id nobody.
CREATE TABLE coterie.approval (
    id         text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    node       text NOT NULL CHECK (node ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    host       text NOT NULL DEFAULT '' CHECK (length(host) <= 255),
    state      coterie.approval_state NOT NULL DEFAULT 'pending',
    how        text CHECK (how IN ('operator', 'token', 'before')),
    asked_at   timestamptz NOT NULL DEFAULT coterie.clock(),
    decided_at timestamptz,
    decided_by text,
    reason     text CHECK (length(reason) <= 2000),
    CONSTRAINT decided_or_pending CHECK ((state = 'pending') = (decided_at IS NULL))
);
COMMENT ON TABLE coterie.approval IS 'A row per installation that asked to join, and what was decided.';
COMMENT ON COLUMN coterie.approval.id IS 'Fingerprint of the installation''s identity.';
COMMENT ON COLUMN coterie.approval.node IS 'Name that it wants.';
COMMENT ON COLUMN coterie.approval.host IS 'Host that it asked from, in its own words.';
COMMENT ON COLUMN coterie.approval.state IS 'pending, approved or withdrawn.';
COMMENT ON COLUMN coterie.approval.how IS 'By whom: an operator, a one-time token, or because it was there before anybody asked.';
COMMENT ON COLUMN coterie.approval.asked_at IS 'When it asked first.';
COMMENT ON COLUMN coterie.approval.decided_at IS 'When it was decided.';
COMMENT ON COLUMN coterie.approval.decided_by IS 'Who decided.';
COMMENT ON COLUMN coterie.approval.reason IS 'Why, in that person''s words.';

-- A token is shown once, to who made it. What is kept opens nothing.
CREATE TABLE coterie.join_token (
    id         text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'),
    hash       bytea NOT NULL CHECK (length(hash) = 32),
    node       text CHECK (node ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    made_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    made_by    text NOT NULL,
    expires_at timestamptz NOT NULL,
    wrong      integer NOT NULL DEFAULT 0,
    used_at    timestamptz,
    used_by    text,
    CONSTRAINT used_once CHECK ((used_at IS NULL) = (used_by IS NULL)),
    CONSTRAINT lives_briefly CHECK (expires_at > made_at AND expires_at <= made_at + interval '7 days')
);
COMMENT ON TABLE coterie.join_token IS 'One-time tokens that approve one installation each.';
COMMENT ON COLUMN coterie.join_token.id IS 'Name of the token; its first half.';
COMMENT ON COLUMN coterie.join_token.hash IS 'SHA-256 of the SHA-256 of its secret half.';
COMMENT ON COLUMN coterie.join_token.node IS 'The only name that it is good for; null for any.';
COMMENT ON COLUMN coterie.join_token.made_at IS 'When it was made.';
COMMENT ON COLUMN coterie.join_token.made_by IS 'Who made it.';
COMMENT ON COLUMN coterie.join_token.expires_at IS 'Until when it is good.';
COMMENT ON COLUMN coterie.join_token.wrong IS 'How often somebody tried it with a wrong secret; after ten times it is good for nothing.';
COMMENT ON COLUMN coterie.join_token.used_at IS 'When it was used.';
COMMENT ON COLUMN coterie.join_token.used_by IS 'Id of the installation that used it.';

CREATE TYPE coterie.trust_rendering AS ENUM ('none', 'rendered', 'failed', 'foreign');
COMMENT ON TYPE coterie.trust_rendering IS 'What a node has of the trust store: no files are wanted, rendered, could not be written, or a file of somebody else is in the way.';

CREATE TABLE coterie.trust_node (
    node        text PRIMARY KEY REFERENCES coterie.node (name) ON DELETE CASCADE,
    incarnation bigint NOT NULL,
    address     text NOT NULL DEFAULT '' CHECK (length(address) <= 300),
    host        text NOT NULL DEFAULT '' CHECK (length(host) <= 255),
    version     bigint NOT NULL DEFAULT 0,
    digest      text NOT NULL DEFAULT '' CHECK (digest ~ '^([0-9a-f]{64})?$'),
    state       coterie.trust_rendering NOT NULL DEFAULT 'none',
    error       text NOT NULL DEFAULT '' CHECK (length(error) <= 2000),
    reported_at timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.trust_node IS 'How a node takes part in trust: where its server is called, and which version of the trust store it has.';
COMMENT ON COLUMN coterie.trust_node.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.trust_node.incarnation IS 'Life of the node in which it said so.';
COMMENT ON COLUMN coterie.trust_node.address IS 'host:port at which the others call its server; empty: it has none.';
COMMENT ON COLUMN coterie.trust_node.host IS 'Name that the certificate must be for.';
COMMENT ON COLUMN coterie.trust_node.version IS 'Version of the trust store that it has rendered; 0: none yet.';
COMMENT ON COLUMN coterie.trust_node.digest IS 'Digest of what it has rendered.';
COMMENT ON COLUMN coterie.trust_node.state IS 'none, rendered, failed or foreign.';
COMMENT ON COLUMN coterie.trust_node.error IS 'Why it could not.';
COMMENT ON COLUMN coterie.trust_node.reported_at IS 'When this was reported.';

CREATE TABLE coterie.trust_certificate (
    node         text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    fingerprint  text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    version      bigint NOT NULL CHECK (version > 0),
    id           text NOT NULL,
    identity     bytea NOT NULL CHECK (length(identity) = 32),
    signature    bytea NOT NULL CHECK (length(signature) = 64),
    certificate  bytea NOT NULL CHECK (length(certificate) BETWEEN 1 AND 65536),
    subject      text NOT NULL CHECK (length(subject) <= 2000),
    not_before   timestamptz NOT NULL,
    not_after    timestamptz NOT NULL,
    served       boolean NOT NULL,
    published_at timestamptz NOT NULL DEFAULT coterie.clock(),
    dropped_at   timestamptz,
    PRIMARY KEY (node, fingerprint),
    UNIQUE (node, version)
);
COMMENT ON TABLE coterie.trust_certificate IS 'A row per certificate that a node published: that which its server shows, what it is about to show, and what it showed until lately.';
COMMENT ON COLUMN coterie.trust_certificate.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.trust_certificate.fingerprint IS 'SHA-256 of the certificate.';
COMMENT ON COLUMN coterie.trust_certificate.version IS 'Number of the certificate among those of the node, rising by one.';
COMMENT ON COLUMN coterie.trust_certificate.id IS 'Id of the installation that published it.';
COMMENT ON COLUMN coterie.trust_certificate.identity IS 'Public key of that identity.';
COMMENT ON COLUMN coterie.trust_certificate.signature IS 'The identity''s signature: a row that somebody else wrote is not believed.';
COMMENT ON COLUMN coterie.trust_certificate.certificate IS 'The certificate, DER.';
COMMENT ON COLUMN coterie.trust_certificate.subject IS 'Its subject.';
COMMENT ON COLUMN coterie.trust_certificate.not_before IS 'When it begins to be valid.';
COMMENT ON COLUMN coterie.trust_certificate.not_after IS 'When it ends.';
COMMENT ON COLUMN coterie.trust_certificate.served IS 'Whether the server showed it when it was published last; false: it is announced.';
COMMENT ON COLUMN coterie.trust_certificate.published_at IS 'When it was published first.';
COMMENT ON COLUMN coterie.trust_certificate.dropped_at IS 'When the node gave it up; null while it has it.';

CREATE TABLE coterie.trust_anchor (
    alias       text PRIMARY KEY CHECK (alias ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    fingerprint text NOT NULL UNIQUE CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    certificate bytea NOT NULL CHECK (length(certificate) BETWEEN 1 AND 65536),
    subject     text NOT NULL CHECK (length(subject) <= 2000),
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT coterie.clock(),
    added_by    text NOT NULL,
    reason      text CHECK (length(reason) <= 2000)
);
COMMENT ON TABLE coterie.trust_anchor IS 'Certificates that operators added: of an authority, or of a server that is no node.';
COMMENT ON COLUMN coterie.trust_anchor.alias IS 'Name that it was given.';
COMMENT ON COLUMN coterie.trust_anchor.fingerprint IS 'SHA-256 of the certificate.';
COMMENT ON COLUMN coterie.trust_anchor.certificate IS 'The certificate, DER.';
COMMENT ON COLUMN coterie.trust_anchor.subject IS 'Its subject.';
COMMENT ON COLUMN coterie.trust_anchor.not_before IS 'When it begins to be valid.';
COMMENT ON COLUMN coterie.trust_anchor.not_after IS 'When it ends.';
COMMENT ON COLUMN coterie.trust_anchor.added_at IS 'When it was added.';
COMMENT ON COLUMN coterie.trust_anchor.added_by IS 'Who added it.';
COMMENT ON COLUMN coterie.trust_anchor.reason IS 'Why, in that person''s words.';

CREATE TABLE coterie.trust_store (
    version bigint PRIMARY KEY CHECK (version >= 0),
    digest  text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    made_at timestamptz NOT NULL DEFAULT coterie.clock(),
    cause   text NOT NULL CHECK (length(cause) <= 200)
);
COMMENT ON TABLE coterie.trust_store IS 'A row per version of the trust store; the highest is what every node renders.';
COMMENT ON COLUMN coterie.trust_store.version IS 'Number of the version, rising by one; 0 is the empty one.';
COMMENT ON COLUMN coterie.trust_store.digest IS 'SHA-256 over its aliases and fingerprints.';
COMMENT ON COLUMN coterie.trust_store.made_at IS 'When it was made.';
COMMENT ON COLUMN coterie.trust_store.cause IS 'What it was made for.';
INSERT INTO coterie.trust_store (version, digest, cause) VALUES (0, encode(sha256(''), 'hex'), 'empty');

CREATE TABLE coterie.trust_entry (
    version     bigint NOT NULL REFERENCES coterie.trust_store (version) ON DELETE CASCADE,
    alias       text NOT NULL,
    node        text,
    fingerprint text NOT NULL,
    certificate bytea NOT NULL,
    id          text,
    identity    bytea,
    signature   bytea,
    PRIMARY KEY (version, alias),
    CONSTRAINT signed_or_added CHECK ((node IS NULL) = (signature IS NULL) AND (node IS NULL) = (identity IS NULL) AND (node IS NULL) = (id IS NULL))
);
COMMENT ON TABLE coterie.trust_entry IS 'What the last versions of the trust store have.';
COMMENT ON COLUMN coterie.trust_entry.version IS 'Version of the trust store.';
COMMENT ON COLUMN coterie.trust_entry.alias IS 'Alias: the name of the node; with : and the beginning of the fingerprint for its further certificates; added: and the alias for what operators added.';
COMMENT ON COLUMN coterie.trust_entry.node IS 'Node whose it is; null for what operators added.';
COMMENT ON COLUMN coterie.trust_entry.fingerprint IS 'SHA-256 of the certificate.';
COMMENT ON COLUMN coterie.trust_entry.certificate IS 'The certificate, DER.';
COMMENT ON COLUMN coterie.trust_entry.id IS 'Id of the installation that published it.';
COMMENT ON COLUMN coterie.trust_entry.identity IS 'Public key of that identity.';
COMMENT ON COLUMN coterie.trust_entry.signature IS 'The identity''s signature.';

CREATE TYPE coterie.trust_result AS ENUM
    ('ok', 'unknown_issuer', 'name_mismatch', 'expired', 'not_yet_valid', 'unfit', 'refused', 'unreachable', 'timeout', 'no_tls', 'no_store');
COMMENT ON TYPE coterie.trust_result IS 'What came of a connection that one node made to the server of another, to try its trust store.';

CREATE TABLE coterie.trust_test (
    from_node   text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    to_node     text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    result      coterie.trust_result NOT NULL,
    detail      text NOT NULL DEFAULT '' CHECK (length(detail) <= 500),
    latency_ms  real,
    fingerprint text CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    version     bigint NOT NULL,
    since       timestamptz NOT NULL DEFAULT coterie.clock(),
    tested_at   timestamptz NOT NULL DEFAULT coterie.clock(),
    PRIMARY KEY (from_node, to_node)
);
COMMENT ON TABLE coterie.trust_test IS 'What came of the last connection from each node to the server of each.';
COMMENT ON COLUMN coterie.trust_test.from_node IS 'Node that called.';
COMMENT ON COLUMN coterie.trust_test.to_node IS 'Node whose server it called.';
COMMENT ON COLUMN coterie.trust_test.result IS 'ok, or why not.';
COMMENT ON COLUMN coterie.trust_test.detail IS 'The same in words.';
COMMENT ON COLUMN coterie.trust_test.latency_ms IS 'How long the connection and the handshake took, in milliseconds.';
COMMENT ON COLUMN coterie.trust_test.fingerprint IS 'SHA-256 of the certificate that was shown; null when there was none.';
COMMENT ON COLUMN coterie.trust_test.version IS 'Version of the trust store that it was tried with.';
COMMENT ON COLUMN coterie.trust_test.since IS 'Since when the result is this one.';
COMMENT ON COLUMN coterie.trust_test.tested_at IS 'When it was tried last.';
