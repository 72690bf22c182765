CREATE OR REPLACE VIEW coterie.appdata_pages WITH (security_barrier) AS
SELECT t.name AS tree,
       p.folder,
       p.first,
       coterie.appdata_masked(p.entries) AS entries,
       f.moved
FROM coterie.appdata_page p
JOIN coterie.appdata_folder f ON f.tree = p.tree AND f.path = p.folder
JOIN coterie.appdata_tree t ON t.id = p.tree;
COMMENT ON VIEW coterie.appdata_pages IS 'A row per page of a manifest, its entries as text. People read appdata_files; programs that scan call appdata_page_list.';
COMMENT ON COLUMN coterie.appdata_pages.tree IS 'Tree that it belongs to: share, or node/NAME.';
COMMENT ON COLUMN coterie.appdata_pages.folder IS 'Folder that it belongs to, quoted; a dot is the root.';
COMMENT ON COLUMN coterie.appdata_pages.first IS 'Name at which the page begins; empty for the first one of a folder.';
COMMENT ON COLUMN coterie.appdata_pages.entries IS 'A line an entry, with tabs between: name, kind, class, mode, owner, group, links, size, modified, changed, inode, digest (base64; empty for the class secret), r if it is to be read again, when it was taken in, target of a link, error.';
COMMENT ON COLUMN coterie.appdata_pages.moved IS 'Number of the change of the manifest that wrote its folder last.';
