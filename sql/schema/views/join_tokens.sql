CREATE OR REPLACE VIEW coterie.join_tokens WITH (security_barrier) AS
SELECT t.id,
       CASE WHEN t.used_at IS NOT NULL THEN 'used' WHEN t.wrong >= 10 THEN 'void' WHEN t.expires_at <= coterie.clock() THEN 'expired' ELSE 'good' END AS state,
       t.node, t.made_at, t.made_by, t.expires_at, t.wrong, t.used_at, t.used_by
FROM coterie.join_token t;
COMMENT ON VIEW coterie.join_tokens IS 'A row per one-time token; nothing here can be used as one.';
COMMENT ON COLUMN coterie.join_tokens.id IS 'Name of the token.';
COMMENT ON COLUMN coterie.join_tokens.state IS 'good, used, expired, or void after ten wrong tries.';
COMMENT ON COLUMN coterie.join_tokens.node IS 'The only name that it is good for; null for any.';
COMMENT ON COLUMN coterie.join_tokens.made_at IS 'When it was made.';
COMMENT ON COLUMN coterie.join_tokens.made_by IS 'Who made it.';
COMMENT ON COLUMN coterie.join_tokens.expires_at IS 'Until when it is good.';
COMMENT ON COLUMN coterie.join_tokens.wrong IS 'How often somebody tried it with a wrong secret.';
COMMENT ON COLUMN coterie.join_tokens.used_at IS 'When it was used.';
COMMENT ON COLUMN coterie.join_tokens.used_by IS 'Id of the installation that used it.';
