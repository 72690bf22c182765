CREATE OR REPLACE VIEW coterie.license_rules WITH (security_barrier) AS
SELECT p.name, p.kind, p.shared_by, p.domains, p.enforced, p.weight, p.shared_by = 'node' AS per_node,
       p.overdraft, p.overdraft_percent, p.max_per_user, p.linger, p.idle, p.cooldown,
       p.escrow, p.escrow_for, CASE p.away WHEN 'grace' THEN p.grace ELSE '0' END AS grace, p.warn_at,
       (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(r) - 'pool') ORDER BY r.subject, r.name), '[]') FROM coterie.license_rule r WHERE r.pool = p.name) AS rules,
       p.changed_by, p.changed_at, p.least,
       (SELECT coalesce(jsonb_object_agg(g.grp, g.members), '{}')
        FROM (SELECT m.grp, jsonb_agg(m.who ORDER BY m.who) AS members FROM coterie.license_member m WHERE m.pool = p.name GROUP BY m.grp) AS g) AS groups,
       ARRAY(SELECT n.name FROM coterie.license_name n WHERE n.pool = p.name AND n.removed_at IS NULL ORDER BY n.name) AS names,
       ARRAY(SELECT n.name FROM coterie.license_name n WHERE n.pool = p.name AND n.removed_at + p.cooldown > coterie.clock() ORDER BY n.name) AS names_cooling
FROM coterie.license_pool p;
COMMENT ON VIEW coterie.license_rules IS 'A row per pool: by which rules its seats are given.';
COMMENT ON COLUMN coterie.license_rules.name IS 'Name of the pool.';
COMMENT ON COLUMN coterie.license_rules.kind IS 'floating, named, agents, servers or nodes.';
COMMENT ON COLUMN coterie.license_rules.shared_by IS 'Whose uses share a seat: user, host, session or node.';
COMMENT ON COLUMN coterie.license_rules.domains IS 'What becomes of a domain in a users name: keep or strip.';
COMMENT ON COLUMN coterie.license_rules.enforced IS 'Whether more is refused; false only counts.';
COMMENT ON COLUMN coterie.license_rules.weight IS 'Seats that one checkout takes.';
COMMENT ON COLUMN coterie.license_rules.per_node IS 'Whether each node checks a seat out for itself.';
COMMENT ON COLUMN coterie.license_rules.overdraft IS 'Seats that may be held beyond the entitlement.';
COMMENT ON COLUMN coterie.license_rules.overdraft_percent IS 'The same as a percentage of it.';
COMMENT ON COLUMN coterie.license_rules.max_per_user IS 'Most seats of one user.';
COMMENT ON COLUMN coterie.license_rules.linger IS 'How long a seat stays its holders after the last check-in.';
COMMENT ON COLUMN coterie.license_rules.idle IS 'How long a use may go without renewal.';
COMMENT ON COLUMN coterie.license_rules.cooldown IS 'How long the place of a named user stays taken after the name is removed.';
COMMENT ON COLUMN coterie.license_rules.escrow IS 'Checkouts that each node is prepared for while the database is away.';
COMMENT ON COLUMN coterie.license_rules.escrow_for IS 'How long such seats are the nodes unless it renews them.';
COMMENT ON COLUMN coterie.license_rules.grace IS 'For how long after that the node grants without a seat; 0 refuses.';
COMMENT ON COLUMN coterie.license_rules.warn_at IS 'Percent of the entitlement from which on people are warned.';
COMMENT ON COLUMN coterie.license_rules.rules IS 'Rules for users, groups and nodes.';
COMMENT ON COLUMN coterie.license_rules.changed_by IS 'Role that changed it last.';
COMMENT ON COLUMN coterie.license_rules.changed_at IS 'When.';
COMMENT ON COLUMN coterie.license_rules.least IS 'Seats that are held when all is well; with fewer people are warned.';
COMMENT ON COLUMN coterie.license_rules.groups IS 'Groups that rules name, with their members.';
COMMENT ON COLUMN coterie.license_rules.names IS 'Named users, who alone get seats of a pool of kind named.';
COMMENT ON COLUMN coterie.license_rules.names_cooling IS 'Removed names that still take a place.';
