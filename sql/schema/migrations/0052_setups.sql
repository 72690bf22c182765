-- needs 43
-- How far the servers of an application are set up, step by step, as one plan says.

CREATE TABLE coterie.app_setup (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    plan        text NOT NULL CHECK (plan ~ '^[0-9a-f]{64}$'),
    token       bigint NOT NULL DEFAULT 0 CHECK (token >= 0),
    declared_at timestamptz NOT NULL DEFAULT coterie.clock(),
    declared_by text NOT NULL
);
COMMENT ON TABLE coterie.app_setup IS 'One row per plan by which the servers of an application are set up.';
COMMENT ON COLUMN coterie.app_setup.name IS 'Name of the plan, as its file says.';
COMMENT ON COLUMN coterie.app_setup.plan IS 'SHA-256 over what the file says: who holds another one does no step.';
COMMENT ON COLUMN coterie.app_setup.token IS 'The last number that was given to somebody who began a step; it only rises.';
COMMENT ON COLUMN coterie.app_setup.declared_at IS 'When the plan was first or last declared.';
COMMENT ON COLUMN coterie.app_setup.declared_by IS 'By whom.';

CREATE TABLE coterie.app_step (
    setup    text NOT NULL REFERENCES coterie.app_setup (name) ON DELETE CASCADE,
    name     text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    place    integer NOT NULL CHECK (place > 0),
    node     text NOT NULL CHECK (node ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    verb     text NOT NULL CHECK (length(verb) BETWEEN 1 AND 100),
    after    text[] NOT NULL,
    digest   text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    state    text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'doing', 'failed', 'done')),
    token    bigint NOT NULL DEFAULT 0 CHECK (token >= 0),
    beats    bigint NOT NULL DEFAULT 0 CHECK (beats >= 0),
    begun_by text,
    begun_at timestamptz,
    heard_at timestamptz,
    ended_at timestamptz,
    made     text CHECK (made ~ '^[0-9a-f]{64}$'),
    said     text NOT NULL DEFAULT '' CHECK (length(said) <= 2000),
    PRIMARY KEY (setup, name),
    -- A step is somebody's as long as it is done, and nobody's without a number.
    CHECK ((state = 'open') = (token = 0)),
    CHECK ((ended_at IS NOT NULL) = (state IN ('failed', 'done')))
);
COMMENT ON TABLE coterie.app_step IS 'One row per step of a plan. What a step does stands in the file alone.';
COMMENT ON COLUMN coterie.app_step.setup IS 'Name of the plan.';
COMMENT ON COLUMN coterie.app_step.name IS 'Name of the step.';
COMMENT ON COLUMN coterie.app_step.place IS 'Its place in the file, from 1.';
COMMENT ON COLUMN coterie.app_step.node IS 'Node that does it; it need not have joined yet.';
COMMENT ON COLUMN coterie.app_step.verb IS 'Command that it is, without its arguments.';
COMMENT ON COLUMN coterie.app_step.after IS 'Steps that must be done before it.';
COMMENT ON COLUMN coterie.app_step.digest IS 'SHA-256 over what the file says of it.';
COMMENT ON COLUMN coterie.app_step.state IS 'open, doing, failed or done.';
COMMENT ON COLUMN coterie.app_step.token IS 'Number of the process that began it last; only that one can end it.';
COMMENT ON COLUMN coterie.app_step.beats IS 'How often that process was heard of since.';
COMMENT ON COLUMN coterie.app_step.begun_by IS 'Who began it last.';
COMMENT ON COLUMN coterie.app_step.begun_at IS 'When it was begun last.';
COMMENT ON COLUMN coterie.app_step.heard_at IS 'When the process that does it was last heard of.';
COMMENT ON COLUMN coterie.app_step.ended_at IS 'When it was done, or failed.';
COMMENT ON COLUMN coterie.app_step.made IS 'Digest of the bundle that it made or looked at.';
COMMENT ON COLUMN coterie.app_step.said IS 'Why it failed, or what was said when it was done.';
