CREATE OR REPLACE VIEW coterie.app_settings WITH (security_barrier) AS
SELECT a.node, a.product, s.key AS name, CASE WHEN strpos(s.key, '#') > 0 THEN s.value END AS value, a.told_at
FROM coterie.app_setting a, LATERAL jsonb_each_text(a.told) AS s;
COMMENT ON VIEW coterie.app_settings IS 'A row per setting of the application on a node, as it was last told.';
COMMENT ON COLUMN coterie.app_settings.node IS 'Name of the node.';
COMMENT ON COLUMN coterie.app_settings.product IS 'Name of the profile by which it was read.';
COMMENT ON COLUMN coterie.app_settings.name IS 'FILE#KEY, FILE#ATTRIBUTE, or FILE for one that is compared as a whole.';
COMMENT ON COLUMN coterie.app_settings.value IS 'Its value, without passwords; null for a file.';
COMMENT ON COLUMN coterie.app_settings.told_at IS 'When the node told it.';
