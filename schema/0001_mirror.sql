-- Step 1: the tables of the mirror.
-- Never edited once released: later changes are later steps. schema/current.sql shows the sum of all steps.
--
-- Every resource table: gid is Asana's; a column named x_gid refers to another record. Bookkeeping:
--   _synced_at       when the row was last written from a whole record; NULL in a stub (known by reference only)
--   _changed_run     sync_runs.id of the run that last changed the row or its links
--   _deleted_at      when the mirror learned that it is gone; NULL while it lives
--   _deleted_reason  deleted, access_lost, parent_deleted, or gone where Asana does not tell
--   _extra           JSON of fields that came and have no column; NULL when none

-- Whoever acts: one row for every user and agent ever seen, people who left included.
CREATE TABLE actors (
    gid TEXT PRIMARY KEY NOT NULL,
    type TEXT, -- user or agent; NULL while unknown
    name TEXT
) STRICT;

CREATE TABLE workspaces (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    is_organization INTEGER,
    email_domains TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE users (
    gid TEXT PRIMARY KEY NOT NULL REFERENCES actors(gid),
    name TEXT,
    email TEXT,
    photo TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE user_workspaces (
    user_gid TEXT NOT NULL REFERENCES users(gid),
    workspace_gid TEXT NOT NULL REFERENCES workspaces(gid),
    PRIMARY KEY (user_gid, workspace_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_custom_fields (
    user_gid TEXT NOT NULL REFERENCES users(gid),
    custom_field_gid TEXT NOT NULL REFERENCES custom_fields(gid),
    type TEXT,
    display_value TEXT,
    text_value TEXT,
    number_value REAL,
    enum_option_gid TEXT REFERENCES enum_options(gid),
    date_value TEXT,
    multi_enum_option_gids TEXT,
    people_gids TEXT,
    reference_gids TEXT,
    PRIMARY KEY (user_gid, custom_field_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    gid TEXT PRIMARY KEY NOT NULL REFERENCES actors(gid),
    name TEXT,
    resource_subtype TEXT,
    description TEXT,
    behavior_guidance TEXT,
    photo TEXT,
    workspace_gid TEXT REFERENCES workspaces(gid),
    created_by_gid TEXT REFERENCES actors(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE teams (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    description TEXT,
    html_description TEXT,
    permalink_url TEXT,
    visibility TEXT,
    edit_team_name_or_description_access_level TEXT,
    edit_team_visibility_or_trash_team_access_level TEXT,
    member_invite_management_access_level TEXT,
    guest_invite_management_access_level TEXT,
    join_request_management_access_level TEXT,
    team_member_removal_access_level TEXT,
    team_content_management_access_level TEXT,
    endorsed INTEGER,
    organization_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE team_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    is_guest INTEGER,
    is_limited_access INTEGER,
    is_admin INTEGER,
    user_gid TEXT REFERENCES actors(gid),
    team_gid TEXT REFERENCES teams(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE projects (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    archived INTEGER,
    color TEXT,
    icon TEXT,
    created_at TEXT,
    modified_at TEXT,
    default_view TEXT,
    due_date TEXT,
    due_on TEXT,
    start_on TEXT,
    notes TEXT,
    html_notes TEXT,
    public INTEGER,
    privacy_setting TEXT,
    default_access_level TEXT,
    minimum_access_level_for_customization TEXT,
    minimum_access_level_for_sharing TEXT,
    completed INTEGER,
    completed_at TEXT,
    permalink_url TEXT,
    completed_by_gid TEXT REFERENCES actors(gid),
    owner_gid TEXT REFERENCES actors(gid),
    team_gid TEXT REFERENCES teams(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    current_status_gid TEXT REFERENCES project_statuses(gid),
    current_status_update_gid TEXT REFERENCES status_updates(gid),
    project_brief_gid TEXT REFERENCES project_briefs(gid),
    created_from_template_gid TEXT REFERENCES project_templates(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE project_members (
    project_gid TEXT NOT NULL REFERENCES projects(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (project_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE project_followers (
    project_gid TEXT NOT NULL REFERENCES projects(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (project_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE project_custom_fields (
    project_gid TEXT NOT NULL REFERENCES projects(gid),
    custom_field_gid TEXT NOT NULL REFERENCES custom_fields(gid),
    type TEXT,
    display_value TEXT,
    text_value TEXT,
    number_value REAL,
    enum_option_gid TEXT REFERENCES enum_options(gid),
    date_value TEXT,
    multi_enum_option_gids TEXT,
    people_gids TEXT,
    reference_gids TEXT,
    PRIMARY KEY (project_gid, custom_field_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE sections (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    created_at TEXT,
    project_gid TEXT REFERENCES projects(gid),
    position INTEGER,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE tags (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    color TEXT,
    notes TEXT,
    created_at TEXT,
    permalink_url TEXT,
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE tag_followers (
    tag_gid TEXT NOT NULL REFERENCES tags(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (tag_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE custom_fields (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    type TEXT,
    resource_subtype TEXT,
    representation_type TEXT,
    description TEXT,
    enabled INTEGER,
    id_prefix TEXT,
    input_restrictions TEXT,
    is_formula_field INTEGER,
    precision INTEGER,
    format TEXT,
    currency_code TEXT,
    custom_label TEXT,
    custom_label_position TEXT,
    is_global_to_workspace INTEGER,
    has_notifications_enabled INTEGER,
    asana_created_field TEXT,
    is_value_read_only INTEGER,
    privacy_setting TEXT,
    default_access_level TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE enum_options (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    color TEXT,
    enabled INTEGER,
    custom_field_gid TEXT REFERENCES custom_fields(gid),
    position INTEGER,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE custom_field_settings (
    gid TEXT PRIMARY KEY NOT NULL,
    is_important INTEGER,
    custom_field_gid TEXT REFERENCES custom_fields(gid),
    parent_gid TEXT,
    parent_type TEXT,
    project_gid TEXT REFERENCES projects(gid),
    position INTEGER,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE tasks (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    resource_subtype TEXT,
    approval_status TEXT,
    assignee_status TEXT,
    completed INTEGER,
    completed_at TEXT,
    created_at TEXT,
    modified_at TEXT,
    due_at TEXT,
    due_on TEXT,
    start_at TEXT,
    start_on TEXT,
    notes TEXT,
    html_notes TEXT,
    external TEXT,
    is_rendered_as_separator INTEGER,
    liked INTEGER,
    num_likes INTEGER,
    num_subtasks INTEGER,
    actual_time_minutes REAL,
    permalink_url TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    assigned_by_gid TEXT REFERENCES actors(gid),
    completed_by_gid TEXT REFERENCES actors(gid),
    assignee_gid TEXT REFERENCES actors(gid),
    assignee_section_gid TEXT REFERENCES sections(gid),
    custom_type_gid TEXT REFERENCES custom_types(gid),
    custom_type_status_option_gid TEXT REFERENCES custom_type_status_options(gid),
    parent_gid TEXT REFERENCES tasks(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE task_projects (
    task_gid TEXT NOT NULL REFERENCES tasks(gid),
    project_gid TEXT NOT NULL REFERENCES projects(gid),
    section_gid TEXT REFERENCES sections(gid),
    position INTEGER,
    PRIMARY KEY (task_gid, project_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_tags (
    task_gid TEXT NOT NULL REFERENCES tasks(gid),
    tag_gid TEXT NOT NULL REFERENCES tags(gid),
    PRIMARY KEY (task_gid, tag_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_followers (
    task_gid TEXT NOT NULL REFERENCES tasks(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (task_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_likes (
    task_gid TEXT NOT NULL REFERENCES tasks(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (task_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_dependencies (
    task_gid TEXT NOT NULL REFERENCES tasks(gid),
    depends_on_gid TEXT NOT NULL REFERENCES tasks(gid),
    PRIMARY KEY (task_gid, depends_on_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_custom_fields (
    task_gid TEXT NOT NULL REFERENCES tasks(gid),
    custom_field_gid TEXT NOT NULL REFERENCES custom_fields(gid),
    type TEXT,
    display_value TEXT,
    text_value TEXT,
    number_value REAL,
    enum_option_gid TEXT REFERENCES enum_options(gid),
    date_value TEXT,
    multi_enum_option_gids TEXT,
    people_gids TEXT,
    reference_gids TEXT,
    PRIMARY KEY (task_gid, custom_field_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE stories (
    gid TEXT PRIMARY KEY NOT NULL,
    created_at TEXT,
    type TEXT,
    resource_subtype TEXT,
    text TEXT,
    html_text TEXT,
    is_pinned INTEGER,
    is_editable INTEGER,
    is_edited INTEGER,
    sticker_name TEXT,
    source TEXT,
    liked INTEGER,
    num_likes INTEGER,
    reaction_summary TEXT,
    previews TEXT,
    old_name TEXT,
    new_name TEXT,
    old_dates TEXT,
    new_dates TEXT,
    old_resource_subtype TEXT,
    new_resource_subtype TEXT,
    old_text_value TEXT,
    new_text_value TEXT,
    old_number_value REAL,
    new_number_value REAL,
    old_date_value TEXT,
    new_date_value TEXT,
    old_people_value TEXT,
    new_people_value TEXT,
    old_multi_enum_values TEXT,
    new_multi_enum_values TEXT,
    old_approval_status TEXT,
    new_approval_status TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    assignee_gid TEXT REFERENCES actors(gid),
    follower_gid TEXT REFERENCES actors(gid),
    story_gid TEXT REFERENCES stories(gid),
    task_gid TEXT REFERENCES tasks(gid),
    project_gid TEXT REFERENCES projects(gid),
    tag_gid TEXT REFERENCES tags(gid),
    custom_field_gid TEXT REFERENCES custom_fields(gid),
    old_section_gid TEXT REFERENCES sections(gid),
    new_section_gid TEXT REFERENCES sections(gid),
    old_enum_value_gid TEXT REFERENCES enum_options(gid),
    new_enum_value_gid TEXT REFERENCES enum_options(gid),
    duplicate_of_gid TEXT REFERENCES tasks(gid),
    duplicated_from_gid TEXT REFERENCES tasks(gid),
    dependency_gid TEXT REFERENCES tasks(gid),
    target_gid TEXT,
    target_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE story_likes (
    story_gid TEXT NOT NULL REFERENCES stories(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (story_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE attachments (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    resource_subtype TEXT,
    created_at TEXT,
    host TEXT,
    size INTEGER,
    permanent_url TEXT,
    connected_to_app INTEGER,
    parent_gid TEXT,
    parent_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE project_statuses (
    gid TEXT PRIMARY KEY NOT NULL,
    title TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE status_updates (
    gid TEXT PRIMARY KEY NOT NULL,
    title TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE project_briefs (
    gid TEXT PRIMARY KEY NOT NULL,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE project_templates (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE custom_types (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE custom_type_status_options (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

-- What people and the mirror itself look up.
CREATE INDEX agents_workspace ON agents (workspace_gid);
CREATE INDEX teams_organization ON teams (organization_gid);
CREATE INDEX team_memberships_team ON team_memberships (team_gid);
CREATE INDEX team_memberships_user ON team_memberships (user_gid);
CREATE INDEX user_workspaces_workspace ON user_workspaces (workspace_gid);
CREATE INDEX projects_workspace ON projects (workspace_gid);
CREATE INDEX projects_team ON projects (team_gid);
CREATE INDEX project_members_actor ON project_members (actor_gid);
CREATE INDEX sections_project ON sections (project_gid, position);
CREATE INDEX tags_workspace ON tags (workspace_gid);
CREATE INDEX enum_options_field ON enum_options (custom_field_gid, position);
CREATE INDEX custom_field_settings_parent ON custom_field_settings (parent_gid);
CREATE INDEX tasks_assignee ON tasks (assignee_gid);
CREATE INDEX tasks_parent ON tasks (parent_gid) WHERE parent_gid IS NOT NULL;
CREATE INDEX tasks_modified ON tasks (modified_at);
CREATE INDEX tasks_due ON tasks (due_on) WHERE due_on IS NOT NULL;
CREATE INDEX task_projects_project ON task_projects (project_gid, section_gid, position);
CREATE INDEX task_tags_tag ON task_tags (tag_gid);
CREATE INDEX task_followers_actor ON task_followers (actor_gid);
CREATE INDEX task_dependencies_other ON task_dependencies (depends_on_gid);
CREATE INDEX task_custom_fields_field ON task_custom_fields (custom_field_gid);
CREATE INDEX stories_target ON stories (target_gid, created_at);
CREATE INDEX stories_author ON stories (created_by_gid);
CREATE INDEX attachments_parent ON attachments (parent_gid);

-- So that the references to a row can be counted, and a row be purged, without reading whole tables.
CREATE INDEX tasks_created_by ON tasks (created_by_gid) WHERE created_by_gid IS NOT NULL;
CREATE INDEX tasks_completed_by ON tasks (completed_by_gid) WHERE completed_by_gid IS NOT NULL;
CREATE INDEX tasks_assigned_by ON tasks (assigned_by_gid) WHERE assigned_by_gid IS NOT NULL;
CREATE INDEX tasks_assignee_section ON tasks (assignee_section_gid) WHERE assignee_section_gid IS NOT NULL;
CREATE INDEX stories_follower ON stories (follower_gid) WHERE follower_gid IS NOT NULL;
CREATE INDEX stories_assignee ON stories (assignee_gid) WHERE assignee_gid IS NOT NULL;
CREATE INDEX stories_story ON stories (story_gid) WHERE story_gid IS NOT NULL;
CREATE INDEX stories_task ON stories (task_gid) WHERE task_gid IS NOT NULL;
CREATE INDEX stories_project ON stories (project_gid) WHERE project_gid IS NOT NULL;
CREATE INDEX stories_tag ON stories (tag_gid) WHERE tag_gid IS NOT NULL;
CREATE INDEX stories_custom_field ON stories (custom_field_gid) WHERE custom_field_gid IS NOT NULL;
CREATE INDEX stories_old_section ON stories (old_section_gid) WHERE old_section_gid IS NOT NULL;
CREATE INDEX stories_new_section ON stories (new_section_gid) WHERE new_section_gid IS NOT NULL;
CREATE INDEX stories_old_enum_value ON stories (old_enum_value_gid) WHERE old_enum_value_gid IS NOT NULL;
CREATE INDEX stories_new_enum_value ON stories (new_enum_value_gid) WHERE new_enum_value_gid IS NOT NULL;
CREATE INDEX stories_duplicate_of ON stories (duplicate_of_gid) WHERE duplicate_of_gid IS NOT NULL;
CREATE INDEX stories_duplicated_from ON stories (duplicated_from_gid) WHERE duplicated_from_gid IS NOT NULL;
CREATE INDEX stories_dependency ON stories (dependency_gid) WHERE dependency_gid IS NOT NULL;

-- The state of syncing. A round is one complete walk over everything in its scope; it may take several runs.

CREATE TABLE sync_runs (
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL,
    mode TEXT NOT NULL, -- first, full
    scope TEXT NOT NULL, -- JSON: what the run was narrowed to
    started_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT, -- complete, interrupted, unreachable, guarded, failed; NULL while running, or killed
    holder TEXT NOT NULL, -- process and machine
    version TEXT NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    seconds_waited REAL NOT NULL DEFAULT 0,
    rows_inserted INTEGER NOT NULL DEFAULT 0,
    rows_updated INTEGER NOT NULL DEFAULT 0,
    rows_unchanged INTEGER NOT NULL DEFAULT 0,
    rows_deleted INTEGER NOT NULL DEFAULT 0
) STRICT;

-- How far each listing is mirrored; also the queue of what is still to be read.
CREATE TABLE sync_checkpoints (
    listing TEXT PRIMARY KEY NOT NULL, -- the request without limit and offset
    name TEXT NOT NULL, -- the catalog's name of this kind of listing
    parent_gid TEXT,
    workspace_gid TEXT,
    rank INTEGER NOT NULL,
    round INTEGER NOT NULL, -- the round that last asked for it
    due INTEGER NOT NULL, -- 1 while it is still to be read in that round
    offset TEXT, -- of the next page; dies soon
    records INTEGER NOT NULL DEFAULT 0, -- read so far in this walk
    restarts INTEGER NOT NULL DEFAULT 0, -- how often its offset died in this walk
    walk_began_at TEXT,
    next_cursor TEXT, -- taken before the walk began; becomes the cursor when the walk is complete
    cursor TEXT, -- mark before which all is mirrored: an events token, or Asana's own time
    last_walked_at TEXT,
    refused INTEGER, -- the status with which Asana refused it in that round
    split INTEGER NOT NULL DEFAULT 0, -- 1 where it is too long and is read in parts
    fingerprint TEXT -- of the fields asked for
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_checkpoints_due ON sync_checkpoints (round, rank) WHERE due = 1;
CREATE INDEX sync_checkpoints_parent ON sync_checkpoints (parent_gid);

-- Who was seen in the walks that are under way: scope is a resource, or a listing of several pages.
CREATE TABLE sync_seen (
    round INTEGER NOT NULL,
    scope TEXT NOT NULL,
    gid TEXT NOT NULL,
    PRIMARY KEY (round, scope, gid)
) STRICT, WITHOUT ROWID;

-- What a complete listing lacked in this round, with what Asana answered when asked for it.
CREATE TABLE sync_missing (
    round INTEGER NOT NULL,
    resource TEXT NOT NULL,
    gid TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (round, resource, gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_requests (
    run_id INTEGER NOT NULL REFERENCES sync_runs(id),
    endpoint TEXT NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    cost_estimate REAL NOT NULL DEFAULT 0, -- records and the links followed for them
    PRIMARY KEY (run_id, endpoint)
) STRICT, WITHOUT ROWID;

-- What could not be read, why, since when, how often. A row goes when its listing is read after all.
CREATE TABLE sync_problems (
    listing TEXT PRIMARY KEY NOT NULL,
    resource TEXT,
    status INTEGER,
    message TEXT NOT NULL,
    since TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    run_id INTEGER NOT NULL
) STRICT;

-- Records whose shape did not fit; kept as they came, tried again each time they are read.
CREATE TABLE sync_undecoded (
    resource TEXT NOT NULL,
    gid TEXT NOT NULL, -- or a hash of the record where it has none
    listing TEXT NOT NULL,
    error TEXT NOT NULL,
    record TEXT NOT NULL,
    since TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (resource, gid)
) STRICT;

-- Who was purged and must not come back: what is read is written without them.
CREATE TABLE sync_purged (
    resource TEXT NOT NULL, -- actors
    gid TEXT NOT NULL,
    purged_at TEXT NOT NULL,
    salt TEXT NOT NULL,
    traces TEXT NOT NULL, -- JSON: [words, letters, salted hash] of each name and address that texts may hold
    PRIMARY KEY (resource, gid)
) STRICT, WITHOUT ROWID;

-- Changes that Asana announced in response headers.
CREATE TABLE sync_api_changes (
    header TEXT NOT NULL, -- Asana-Change or Asana-Deprecation-Warning
    value TEXT NOT NULL,
    name TEXT,
    info TEXT,
    affected INTEGER,
    endpoint TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (header, value)
) STRICT;

-- Full text. search.sql holds the triggers that keep the three indexes.
CREATE VIRTUAL TABLE tasks_fts USING fts5 (name, notes, content="tasks", tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE stories_fts USING fts5 (text, content="stories", tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE projects_fts USING fts5 (name, notes, content="projects", tokenize='unicode61 remove_diacritics 2');
