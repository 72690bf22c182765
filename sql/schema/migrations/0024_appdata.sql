-- The manifest of the shared folder, and the journal of what changed in it.

-- Folders and files are text, a line an entry: a million files are some ten thousand rows, which are stored in a second and
-- compared by their sums. The view appdata_files takes them apart.
CREATE TABLE coterie.appdata_tree (
    id          smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name = 'share' OR name ~ '^node/[a-z0-9][a-z0-9.-]{0,62}$'),
    layout      text NOT NULL DEFAULT '',
    head        bigint NOT NULL DEFAULT 0,
    scan        bigint NOT NULL DEFAULT 0,
    scanned_by  text,
    begun_at    timestamptz,
    moved_at    timestamptz,
    finished_at timestamptz,
    whole_at    timestamptz,
    took        interval,
    folders     bigint NOT NULL DEFAULT 0,
    entries     bigint NOT NULL DEFAULT 0,
    read_bytes  bigint NOT NULL DEFAULT 0,
    errors      bigint NOT NULL DEFAULT 0,
    found       bigint NOT NULL DEFAULT 0,
    content     bytea,
    exact       bytea,
    files       bigint,
    bytes       bigint,
    holes       bigint,
    held_files  bigint NOT NULL DEFAULT 0 CHECK (held_files >= 0),
    held_sample text[] NOT NULL DEFAULT '{}',
    held_since  timestamptz,
    accepted    bigint NOT NULL DEFAULT 0 CHECK (accepted >= 0),
    accepted_at timestamptz,
    accepted_by text,
    reason      text
);
COMMENT ON TABLE coterie.appdata_tree IS 'One row per tree of files that is known file by file: the share, and what nodes have of their own.';
COMMENT ON COLUMN coterie.appdata_tree.id IS 'Number of the tree.';
COMMENT ON COLUMN coterie.appdata_tree.name IS 'share, or node/NAME for the files that a node has of its own.';
COMMENT ON COLUMN coterie.appdata_tree.layout IS 'Layout by which the last scan gave classes.';
COMMENT ON COLUMN coterie.appdata_tree.head IS 'Number of the last change of the manifest; counted under the lock of this row, so that it has no gaps and no order but that of commits.';
COMMENT ON COLUMN coterie.appdata_tree.scan IS 'Number of the last scan that began; whoever has a lower one stores nothing more.';
COMMENT ON COLUMN coterie.appdata_tree.scanned_by IS 'Node that began the last scan.';
COMMENT ON COLUMN coterie.appdata_tree.begun_at IS 'When the last scan began.';
COMMENT ON COLUMN coterie.appdata_tree.moved_at IS 'When the last scan last told how far it is.';
COMMENT ON COLUMN coterie.appdata_tree.finished_at IS 'When the last scan ended; null while it is at work, or was interrupted.';
COMMENT ON COLUMN coterie.appdata_tree.whole_at IS 'When the tree was last known as a whole; null until a first scan came to its end.';
COMMENT ON COLUMN coterie.appdata_tree.took IS 'How long the last scan that came to its end took.';
COMMENT ON COLUMN coterie.appdata_tree.folders IS 'Folders that the last scan has looked at so far.';
COMMENT ON COLUMN coterie.appdata_tree.entries IS 'Names that the last scan has looked at so far.';
COMMENT ON COLUMN coterie.appdata_tree.read_bytes IS 'Bytes of content that the last scan has read so far.';
COMMENT ON COLUMN coterie.appdata_tree.errors IS 'Names and folders about which the last scan could not learn all.';
COMMENT ON COLUMN coterie.appdata_tree.found IS 'Changes that the last scan found: what no node had told of.';
COMMENT ON COLUMN coterie.appdata_tree.content IS 'SHA-256 over all names and contents, when the tree was last known as a whole.';
COMMENT ON COLUMN coterie.appdata_tree.exact IS 'The same, with modes, owners and times.';
COMMENT ON COLUMN coterie.appdata_tree.files IS 'Files, links and the like, when the tree was last known as a whole.';
COMMENT ON COLUMN coterie.appdata_tree.bytes IS 'Bytes in them.';
COMMENT ON COLUMN coterie.appdata_tree.holes IS 'Entries of which less is known than could be.';
COMMENT ON COLUMN coterie.appdata_tree.held_files IS 'Files that the last scan missed, too many to be believed without an operator''s word; 0 when there are none.';
COMMENT ON COLUMN coterie.appdata_tree.held_sample IS 'Some of them, quoted.';
COMMENT ON COLUMN coterie.appdata_tree.held_since IS 'When files were first missed so.';
COMMENT ON COLUMN coterie.appdata_tree.accepted IS 'So many files may be missing in the next scan: an operator''s word, used once.';
COMMENT ON COLUMN coterie.appdata_tree.accepted_at IS 'When the operator said so.';
COMMENT ON COLUMN coterie.appdata_tree.accepted_by IS 'Who said so.';
COMMENT ON COLUMN coterie.appdata_tree.reason IS 'Why, in that person''s words.';

INSERT INTO coterie.appdata_tree (name) VALUES ('share');

CREATE TABLE coterie.appdata_folder (
    tree    smallint NOT NULL REFERENCES coterie.appdata_tree (id) ON DELETE CASCADE,
    path    text COLLATE "C" NOT NULL CHECK (path <> ''),
    content bytea CHECK (length(content) = 32),
    exact   bytea CHECK (length(exact) = 32),
    files   bigint NOT NULL,
    bytes   bigint NOT NULL,
    holes   bigint NOT NULL,
    error   text NOT NULL,
    scan    bigint NOT NULL,
    moved   bigint NOT NULL,
    PRIMARY KEY (tree, path),
    CONSTRAINT summed_as_a_whole CHECK ((content IS NULL) = (exact IS NULL))
);
CREATE INDEX appdata_folder_moved ON coterie.appdata_folder (tree, moved);
COMMENT ON TABLE coterie.appdata_folder IS 'One row per folder of a manifest, with sums over all below it: where two trees have the same sum they are the same.';
COMMENT ON COLUMN coterie.appdata_folder.tree IS 'Tree that it belongs to.';
COMMENT ON COLUMN coterie.appdata_folder.path IS 'Path below the root, quoted; a dot is the root.';
COMMENT ON COLUMN coterie.appdata_folder.content IS 'SHA-256 over all names and contents below; null while something below is not settled.';
COMMENT ON COLUMN coterie.appdata_folder.exact IS 'The same, with modes, owners and times.';
COMMENT ON COLUMN coterie.appdata_folder.files IS 'Files, links and the like below it.';
COMMENT ON COLUMN coterie.appdata_folder.bytes IS 'Bytes in them.';
COMMENT ON COLUMN coterie.appdata_folder.holes IS 'Entries below of which less is known than could be.';
COMMENT ON COLUMN coterie.appdata_folder.error IS 'Why its entries are not all; empty when they are.';
COMMENT ON COLUMN coterie.appdata_folder.scan IS 'Number of the scan that wrote it last; 0 when a node told of a change since.';
COMMENT ON COLUMN coterie.appdata_folder.moved IS 'Number of the change of the manifest that wrote it last.';

-- Without a foreign key: whoever stores a page stores its folder in the same statement, and asking for each took half of the time.
CREATE TABLE coterie.appdata_page (
    tree    smallint NOT NULL,
    folder  text COLLATE "C" NOT NULL,
    first   text COLLATE "C" NOT NULL,
    entries text NOT NULL,
    PRIMARY KEY (tree, folder, first)
);
-- Digests do not compress, and trying takes longer than writing.
ALTER TABLE coterie.appdata_page ALTER COLUMN entries SET STORAGE EXTERNAL;
COMMENT ON TABLE coterie.appdata_page IS 'One row per folder, for a folder of more than a thousand entries several: its entries, a line each, as the view appdata_files shows them.';
COMMENT ON COLUMN coterie.appdata_page.tree IS 'Tree that it belongs to.';
COMMENT ON COLUMN coterie.appdata_page.folder IS 'Folder that it belongs to.';
COMMENT ON COLUMN coterie.appdata_page.first IS 'Name at which the page begins; empty for the first one of a folder.';
COMMENT ON COLUMN coterie.appdata_page.entries IS 'Lines in order of their names, with tabs between: name, kind, class, mode, owner, group, links, size, modified, changed, inode, digest (base64), r if it is to be read again, when it was taken in, target of a link, error.';

CREATE TABLE coterie.appdata_change (
    tree       smallint NOT NULL REFERENCES coterie.appdata_tree (id) ON DELETE CASCADE,
    seq        bigint NOT NULL,
    path       text COLLATE "C" NOT NULL,
    from_path  text COLLATE "C",
    change     text NOT NULL CHECK (change IN ('created', 'modified', 'touched', 'deleted', 'renamed')),
    kind       text NOT NULL,
    class      text NOT NULL,
    size       bigint NOT NULL,
    digest     bytea CHECK (length(digest) = 32),
    seen_by    text NOT NULL,
    source     text NOT NULL CHECK (source IN ('watch', 'announce', 'scan')),
    at         timestamptz NOT NULL DEFAULT coterie.clock(),
    latency    interval,
    PRIMARY KEY (tree, seq),
    CONSTRAINT renamed_from_somewhere CHECK ((change = 'renamed') = (from_path IS NOT NULL))
);
CREATE INDEX appdata_change_path ON coterie.appdata_change (tree, path, seq);
CREATE INDEX appdata_change_at ON coterie.appdata_change (at);
COMMENT ON TABLE coterie.appdata_change IS 'The journal: one row per change of a tree, whoever noticed it.';
COMMENT ON COLUMN coterie.appdata_change.tree IS 'Tree that changed.';
COMMENT ON COLUMN coterie.appdata_change.seq IS 'Number of the change; a higher one was committed later.';
COMMENT ON COLUMN coterie.appdata_change.path IS 'Path below the root, quoted.';
COMMENT ON COLUMN coterie.appdata_change.from_path IS 'Of what was renamed: its path before.';
COMMENT ON COLUMN coterie.appdata_change.change IS 'created, modified, touched (mode, owner or time alone), deleted or renamed.';
COMMENT ON COLUMN coterie.appdata_change.kind IS 'What it is, or was: file, folder, link, fifo, socket, device.';
COMMENT ON COLUMN coterie.appdata_change.class IS 'What it is to the cluster, by the layout: shared, per_host, field_merged, secret or ignored.';
COMMENT ON COLUMN coterie.appdata_change.size IS 'Size afterwards; of what is deleted, before.';
COMMENT ON COLUMN coterie.appdata_change.digest IS 'SHA-256 of the content afterwards; null when it is not known.';
COMMENT ON COLUMN coterie.appdata_change.seen_by IS 'Node that noticed it.';
COMMENT ON COLUMN coterie.appdata_change.source IS 'How: watch (the node''s own file system told it), announce (somebody said so), scan.';
COMMENT ON COLUMN coterie.appdata_change.at IS 'When it was written here.';
COMMENT ON COLUMN coterie.appdata_change.latency IS 'How long after the change that was, by the clock of the share; null when that cannot be told.';
