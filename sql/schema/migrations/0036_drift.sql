-- needs 34
-- Files that each node has of its own, and that must be the same on all.

-- Both come back with the digest of a field-merged file as it is beside that of what is compared.
DROP VIEW IF EXISTS coterie.appdata_files;
DROP FUNCTION IF EXISTS coterie.appdata_lines(text, text);

CREATE TABLE coterie.own (
    node        text PRIMARY KEY REFERENCES coterie.node (name) ON DELETE CASCADE,
    incarnation bigint NOT NULL,
    root        text NOT NULL,
    rules       text NOT NULL,
    every       interval NOT NULL CHECK (every > '0'),
    trouble     text NOT NULL DEFAULT '' CHECK (length(trouble) <= 2000),
    since       timestamptz NOT NULL DEFAULT coterie.clock()
);
COMMENT ON TABLE coterie.own IS 'One row per node that looks at its own files, of which coterie.drifts tells what differs.';
COMMENT ON COLUMN coterie.own.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.own.incarnation IS 'Life of the node in which it told so.';
COMMENT ON COLUMN coterie.own.root IS 'Folder on that node below which the files are.';
COMMENT ON COLUMN coterie.own.rules IS 'Which files, and in which of them which fields may differ: nodes with one name have the same rules.';
COMMENT ON COLUMN coterie.own.every IS 'How often it looks.';
COMMENT ON COLUMN coterie.own.trouble IS 'Why it cannot look; empty when it can.';
COMMENT ON COLUMN coterie.own.since IS 'When that was first so.';

CREATE TABLE coterie.drift (
    node      text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    path      text COLLATE "C" NOT NULL,
    class     text NOT NULL,
    differs   text[] NOT NULL CHECK (cardinality(differs) > 0),
    expected  text,
    found     text,
    reference text,
    against   text,
    since     timestamptz NOT NULL DEFAULT coterie.clock(),
    PRIMARY KEY (node, path)
);
COMMENT ON TABLE coterie.drift IS 'One row per file that is not on a node as it should be.';
COMMENT ON COLUMN coterie.drift.node IS 'Node on which it differs.';
COMMENT ON COLUMN coterie.drift.path IS 'Path below the root of that node, quoted; a dot when the rules themselves differ.';
COMMENT ON COLUMN coterie.drift.class IS 'What it is to the cluster: shared, field_merged or secret.';
COMMENT ON COLUMN coterie.drift.differs IS 'In what: missing, extra, kind, content, mode, owner, unclear (it could not be compared) or rules.';
COMMENT ON COLUMN coterie.drift.expected IS 'What the others have: SHA-256 of what is compared, target of a link, or an error; null when there should be nothing, or nobody can tell.';
COMMENT ON COLUMN coterie.drift.found IS 'The same of what this node has; null for nothing.';
COMMENT ON COLUMN coterie.drift.reference IS 'Who says so: the node that an operator named, or most; null when neither can be told.';
COMMENT ON COLUMN coterie.drift.against IS 'A node that has what is expected, with which to compare.';
COMMENT ON COLUMN coterie.drift.since IS 'When it was first seen to differ.';

CREATE TABLE coterie.own_reference (
    node    text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    by_whom text NOT NULL,
    at      timestamptz NOT NULL DEFAULT coterie.clock(),
    reason  text CHECK (length(reason) <= 2000)
);
CREATE UNIQUE INDEX own_reference_one ON coterie.own_reference ((true));
COMMENT ON TABLE coterie.own_reference IS 'The node that the others are to be like: one row, or none, and then it is what most nodes have.';
COMMENT ON COLUMN coterie.own_reference.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.own_reference.by_whom IS 'Who named it.';
COMMENT ON COLUMN coterie.own_reference.at IS 'When.';
COMMENT ON COLUMN coterie.own_reference.reason IS 'Why, in that person''s words.';

CREATE TABLE coterie.own_text (
    node   text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    path   text COLLATE "C" NOT NULL,
    digest text NOT NULL,
    body   text CHECK (length(body) <= 262144),
    PRIMARY KEY (node, path)
);
COMMENT ON TABLE coterie.own_text IS 'Texts of small files that differ, without fields that may differ and lines that look like secrets; kept while they differ.';
COMMENT ON COLUMN coterie.own_text.node IS 'Node that has the file.';
COMMENT ON COLUMN coterie.own_text.path IS 'Path below its root, quoted.';
COMMENT ON COLUMN coterie.own_text.digest IS 'SHA-256 of what was compared of the file that the text is of.';
COMMENT ON COLUMN coterie.own_text.body IS 'The text; null when it is too large, or no text.';

CREATE TABLE coterie.own_take (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node     text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    source   text NOT NULL REFERENCES coterie.node (name) ON DELETE CASCADE,
    path     text COLLATE "C" NOT NULL,
    state    text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'given', 'taken', 'failed', 'withdrawn')),
    was      text,
    raw      text CHECK (raw ~ '^[0-9a-f]{64}$'),
    size     bigint,
    mode     integer,
    uid      bigint,
    gid      bigint,
    backup   text,
    error    text CHECK (length(error) <= 2000),
    by_whom  text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT coterie.clock(),
    moved_at timestamptz NOT NULL DEFAULT coterie.clock(),
    CONSTRAINT of_another CHECK (node <> source)
);
-- One at a time per file: who asks again is told of the one that is on its way.
CREATE UNIQUE INDEX own_take_open ON coterie.own_take (node, path) WHERE state IN ('asked', 'given');
COMMENT ON TABLE coterie.own_take IS 'One row per file that a node is to take from another.';
COMMENT ON COLUMN coterie.own_take.id IS 'Number of the request.';
COMMENT ON COLUMN coterie.own_take.node IS 'Node that writes the file.';
COMMENT ON COLUMN coterie.own_take.source IS 'Node that has the file as it should be.';
COMMENT ON COLUMN coterie.own_take.path IS 'Path below the roots of both, quoted.';
COMMENT ON COLUMN coterie.own_take.state IS 'asked, given (the source has put a copy aside, in the share), taken, failed or withdrawn.';
COMMENT ON COLUMN coterie.own_take.was IS 'SHA-256 of what was compared of the file on the node when it was asked for; null when there was none.';
COMMENT ON COLUMN coterie.own_take.raw IS 'SHA-256 of the content that the source gave.';
COMMENT ON COLUMN coterie.own_take.size IS 'Its size.';
COMMENT ON COLUMN coterie.own_take.mode IS 'Its mode.';
COMMENT ON COLUMN coterie.own_take.uid IS 'Its owner.';
COMMENT ON COLUMN coterie.own_take.gid IS 'Its group.';
COMMENT ON COLUMN coterie.own_take.backup IS 'Where on the node what was replaced is kept, quoted.';
COMMENT ON COLUMN coterie.own_take.error IS 'Why it failed.';
COMMENT ON COLUMN coterie.own_take.by_whom IS 'Who asked.';
COMMENT ON COLUMN coterie.own_take.asked_at IS 'When.';
COMMENT ON COLUMN coterie.own_take.moved_at IS 'When its state last changed.';
