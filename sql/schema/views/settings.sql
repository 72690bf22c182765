CREATE OR REPLACE VIEW coterie.settings WITH (security_barrier) AS
SELECT v.key, v.value, s.generation, s.changed_by, s.changed_at
FROM coterie.setting s,
     LATERAL (VALUES ('session_ttl', s.session_ttl::text),
                     ('heartbeat', s.heartbeat::text),
                     ('margin', s.margin::text),
                     ('keep_runs', s.keep_runs::text),
                     ('keep_events', s.keep_events::text),
                     ('trust_overlap', s.trust_overlap::text),
                     ('trust_linger', s.trust_linger::text),
                     ('approval', s.approval::text),
                     ('paused', s.paused::text)) AS v (key, value);
COMMENT ON VIEW coterie.settings IS 'A row per cluster-wide setting.';
COMMENT ON COLUMN coterie.settings.key IS 'Name of the setting.';
COMMENT ON COLUMN coterie.settings.value IS 'Its value.';
COMMENT ON COLUMN coterie.settings.generation IS 'Number of the change that made the settings what they are.';
COMMENT ON COLUMN coterie.settings.changed_by IS 'Role that changed them last.';
COMMENT ON COLUMN coterie.settings.changed_at IS 'When they were changed last.';
