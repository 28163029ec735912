-- Step 2: later runs follow event streams, and read by age what no stream tells.

ALTER TABLE sync_runs ADD COLUMN drift INTEGER NOT NULL DEFAULT 0; -- what a sweep found that events had missed

ALTER TABLE sync_checkpoints ADD COLUMN why TEXT; -- why it was last asked for: new, event, gap, sweep, age …
ALTER TABLE sync_checkpoints ADD COLUMN since TEXT; -- this walk asks only for what changed since then
ALTER TABLE sync_checkpoints ADD COLUMN swept_at TEXT; -- when a walk last looked at all that stands below it, too
ALTER TABLE sync_checkpoints ADD COLUMN waiting_since TEXT; -- to be read again some time within a week from then
ALTER TABLE sync_missing ADD COLUMN explained INTEGER NOT NULL DEFAULT 0; -- 1 where a deleted event tells of it

CREATE INDEX sync_checkpoints_name ON sync_checkpoints (name, last_walked_at);
CREATE INDEX sync_checkpoints_waiting ON sync_checkpoints (waiting_since) WHERE waiting_since IS NOT NULL;
CREATE INDEX sync_checkpoints_refused ON sync_checkpoints (name) WHERE refused IS NOT NULL;
CREATE INDEX task_custom_fields_option ON task_custom_fields (enum_option_gid) WHERE enum_option_gid IS NOT NULL;
CREATE INDEX task_projects_section ON task_projects (section_gid) WHERE section_gid IS NOT NULL;

-- An event stream has a checkpoint of its own (name: events): cursor is its token, last_walked_at the last poll.
INSERT INTO sync_checkpoints (listing, name, parent_gid, workspace_gid, rank, round, due, cursor, last_walked_at)
SELECT '/events?resource=' || parent_gid, 'events', parent_gid, workspace_gid, 0, round, 0,
    coalesce(cursor, next_cursor), walk_began_at
FROM sync_checkpoints WHERE name = 'project_tasks' AND coalesce(cursor, next_cursor) IS NOT NULL;
UPDATE sync_checkpoints SET cursor = NULL, next_cursor = NULL WHERE name = 'project_tasks';
UPDATE sync_checkpoints SET swept_at = last_walked_at;

-- A run may be narrowed to teams and projects as well.
UPDATE sync_runs SET scope = json_set(scope, '$.teams', json('[]'), '$.projects', json('[]'))
WHERE scope LIKE '{%';

-- What events told and nobody has read yet: however often a record changed, one row. Written with the token of the
-- stream, and gone with the rows of the record.
CREATE TABLE sync_inbox (
    resource TEXT NOT NULL,
    gid TEXT NOT NULL,
    to_read INTEGER NOT NULL, -- 0: nothing to read, it was deleted
    deleted INTEGER NOT NULL, -- 1: a deleted event explains why it may be gone
    anew INTEGER NOT NULL, -- 1: with all below it
    moves INTEGER NOT NULL, -- 1: its modified_at moved, so that modified_since finds it
    placed INTEGER NOT NULL, -- 1: it came to another place in a list
    parent TEXT, -- the resource of what it stands on, where the event says so
    parent_gid TEXT,
    project_gid TEXT, -- whose stream told
    first_at TEXT, -- of its events, by Asana's clock
    last_at TEXT,
    PRIMARY KEY (resource, gid)
) STRICT, WITHOUT ROWID;

-- What the configuration keeps out for good, as far as it was met.
CREATE TABLE sync_excluded (
    resource TEXT NOT NULL,
    gid TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (resource, gid)
) STRICT, WITHOUT ROWID;
