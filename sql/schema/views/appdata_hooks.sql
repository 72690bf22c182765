CREATE OR REPLACE VIEW coterie.appdata_hooks WITH (security_barrier) AS
SELECT h.node, h.hook, h.seq, h.heeded_at, h.acted, h.acted_at, h.trouble,
       (SELECT count(*) FROM coterie.appdata_change c JOIN coterie.appdata_tree t ON t.id = c.tree AND t.name = 'share' WHERE c.seq > h.seq) AS behind
FROM coterie.appdata_hook h;
COMMENT ON VIEW coterie.appdata_hooks IS 'A row per node and hook for files of the share: how far it is, and what became of it.';
COMMENT ON COLUMN coterie.appdata_hooks.node IS 'Node on which it acts.';
COMMENT ON COLUMN coterie.appdata_hooks.hook IS 'Name of the hook, in the configuration of that node.';
COMMENT ON COLUMN coterie.appdata_hooks.seq IS 'Number of the last change that it was given, wanted or not.';
COMMENT ON COLUMN coterie.appdata_hooks.heeded_at IS 'When that was.';
COMMENT ON COLUMN coterie.appdata_hooks.acted IS 'How often it has acted.';
COMMENT ON COLUMN coterie.appdata_hooks.acted_at IS 'When it last had.';
COMMENT ON COLUMN coterie.appdata_hooks.trouble IS 'What went wrong then; empty when nothing did.';
COMMENT ON COLUMN coterie.appdata_hooks.behind IS 'Changes that it was not given yet.';
