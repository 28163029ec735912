-- Step 5: everything else that Asana lets a token read.

-- The My Tasks list of each person.
CREATE TABLE user_task_lists (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    owner_gid TEXT REFERENCES actors(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE workspace_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    is_active INTEGER,
    is_admin INTEGER,
    is_guest INTEGER,
    is_view_only INTEGER,
    vacation_dates TEXT,
    created_at TEXT,
    user_gid TEXT REFERENCES actors(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    user_task_list_gid TEXT REFERENCES user_task_lists(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

-- Who may do what, and where: from /memberships, one table for each kind of place. A member is a person, an agent or a team.
CREATE TABLE project_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    access_level TEXT,
    parent_gid TEXT REFERENCES projects(gid),
    member_gid TEXT,
    member_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE portfolio_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    access_level TEXT,
    parent_gid TEXT REFERENCES portfolios(gid),
    member_gid TEXT,
    member_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE goal_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    access_level TEXT,
    parent_gid TEXT REFERENCES goals(gid),
    member_gid TEXT,
    member_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE custom_field_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    access_level TEXT,
    parent_gid TEXT REFERENCES custom_fields(gid),
    member_gid TEXT,
    member_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE custom_type_memberships (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    access_level TEXT,
    parent_gid TEXT REFERENCES custom_types(gid),
    member_gid TEXT,
    member_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE portfolios (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    archived INTEGER,
    color TEXT,
    start_on TEXT,
    due_on TEXT,
    default_access_level TEXT,
    created_at TEXT,
    permalink_url TEXT,
    public INTEGER,
    privacy_setting TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    owner_gid TEXT REFERENCES actors(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    current_status_update_gid TEXT REFERENCES status_updates(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE project_portfolio_settings (
    gid TEXT PRIMARY KEY NOT NULL,
    is_access_control_inherited INTEGER,
    created_at TEXT,
    project_gid TEXT REFERENCES projects(gid),
    portfolio_gid TEXT REFERENCES portfolios(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE time_periods (
    gid TEXT PRIMARY KEY NOT NULL,
    start_on TEXT,
    end_on TEXT,
    period TEXT,
    display_name TEXT,
    parent_gid TEXT REFERENCES time_periods(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE goals (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    notes TEXT,
    html_notes TEXT,
    due_on TEXT,
    start_on TEXT,
    is_workspace_level INTEGER,
    liked INTEGER,
    num_likes INTEGER,
    metric TEXT,
    status TEXT,
    privacy_setting TEXT,
    default_access_level TEXT,
    team_gid TEXT REFERENCES teams(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    time_period_gid TEXT REFERENCES time_periods(gid),
    owner_gid TEXT REFERENCES actors(gid),
    current_status_update_gid TEXT REFERENCES status_updates(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE goal_relationships (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    contribution_weight REAL,
    supported_goal_gid TEXT REFERENCES goals(gid),
    supporting_resource_gid TEXT,
    supporting_resource_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE time_tracking_categories (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    color TEXT,
    is_archived INTEGER,
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE time_tracking_entries (
    gid TEXT PRIMARY KEY NOT NULL,
    duration_minutes INTEGER,
    entered_on TEXT,
    created_at TEXT,
    approval_status TEXT,
    billable_status TEXT,
    description TEXT,
    attributable_to_gid TEXT REFERENCES projects(gid),
    created_by_gid TEXT REFERENCES actors(gid),
    task_gid TEXT REFERENCES tasks(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE timesheet_approval_statuses (
    gid TEXT PRIMARY KEY NOT NULL,
    created_at TEXT,
    start_date TEXT,
    end_date TEXT,
    approval_status TEXT,
    user_gid TEXT REFERENCES actors(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE allocations (
    gid TEXT PRIMARY KEY NOT NULL,
    resource_subtype TEXT,
    start_date TEXT,
    end_date TEXT,
    effort TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    parent_gid TEXT REFERENCES projects(gid),
    assignee_gid TEXT,
    assignee_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE budgets (
    gid TEXT PRIMARY KEY NOT NULL,
    budget_type TEXT,
    estimate TEXT,
    actual TEXT,
    total TEXT,
    parent_gid TEXT REFERENCES projects(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

-- resource: the person, or the placeholder, whose hour costs that much.
CREATE TABLE rates (
    gid TEXT PRIMARY KEY NOT NULL,
    rate REAL,
    currency_code TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    parent_gid TEXT REFERENCES projects(gid),
    resource_gid TEXT,
    resource_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE roles (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    description TEXT,
    is_standard_role INTEGER,
    creation_time TEXT,
    modified_at TEXT,
    base_role_type TEXT,
    permissions TEXT,
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE ooo_entries (
    gid TEXT PRIMARY KEY NOT NULL,
    start_date TEXT,
    end_date TEXT,
    user_gid TEXT REFERENCES actors(gid),
    created_by_gid TEXT REFERENCES actors(gid),
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE access_requests (
    gid TEXT PRIMARY KEY NOT NULL,
    message TEXT,
    approval_status TEXT,
    requester_gid TEXT REFERENCES actors(gid),
    target_gid TEXT,
    target_type TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE task_templates (
    gid TEXT PRIMARY KEY NOT NULL,
    name TEXT,
    template TEXT,
    created_at TEXT,
    created_by_gid TEXT REFERENCES actors(gid),
    project_gid TEXT REFERENCES projects(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

CREATE TABLE reactions (
    gid TEXT PRIMARY KEY NOT NULL,
    emoji TEXT,
    user_gid TEXT REFERENCES actors(gid),
    target_gid TEXT,
    target_type TEXT,
    emoji_base TEXT,
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

-- Webhooks as Asana lists them, whoever made them with this token; those of the mirror itself stand in sync_webhooks.
CREATE TABLE webhooks (
    gid TEXT PRIMARY KEY NOT NULL,
    active INTEGER,
    target TEXT,
    created_at TEXT,
    last_failure_at TEXT,
    last_failure_content TEXT,
    last_success_at TEXT,
    delivery_retry_count INTEGER,
    next_attempt_after TEXT,
    failure_deletion_timestamp TEXT,
    filters TEXT,
    resource_gid TEXT,
    resource_type TEXT,
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

-- A log: rows are added, and stay when Asana forgets them after 90 days.
CREATE TABLE audit_log_events (
    gid TEXT PRIMARY KEY NOT NULL,
    created_at TEXT,
    event_type TEXT,
    event_category TEXT,
    actor TEXT,
    resource TEXT,
    details TEXT,
    context TEXT,
    workspace_gid TEXT REFERENCES workspaces(gid),
    _synced_at TEXT,
    _changed_run INTEGER,
    _deleted_at TEXT,
    _deleted_reason TEXT,
    _extra TEXT
) STRICT;

-- Tables that were there because others refer to them.
ALTER TABLE status_updates ADD COLUMN resource_subtype TEXT;
ALTER TABLE status_updates ADD COLUMN status_type TEXT;
ALTER TABLE status_updates ADD COLUMN text TEXT;
ALTER TABLE status_updates ADD COLUMN html_text TEXT;
ALTER TABLE status_updates ADD COLUMN created_at TEXT;
ALTER TABLE status_updates ADD COLUMN modified_at TEXT;
ALTER TABLE status_updates ADD COLUMN liked INTEGER;
ALTER TABLE status_updates ADD COLUMN num_likes INTEGER;
ALTER TABLE status_updates ADD COLUMN reaction_summary TEXT;
ALTER TABLE status_updates ADD COLUMN author_gid TEXT REFERENCES actors(gid);
ALTER TABLE status_updates ADD COLUMN created_by_gid TEXT REFERENCES actors(gid);
ALTER TABLE status_updates ADD COLUMN parent_gid TEXT;
ALTER TABLE status_updates ADD COLUMN parent_type TEXT;
ALTER TABLE project_statuses ADD COLUMN text TEXT;
ALTER TABLE project_statuses ADD COLUMN html_text TEXT;
ALTER TABLE project_statuses ADD COLUMN color TEXT;
ALTER TABLE project_statuses ADD COLUMN created_at TEXT;
ALTER TABLE project_statuses ADD COLUMN modified_at TEXT;
ALTER TABLE project_statuses ADD COLUMN author_gid TEXT REFERENCES actors(gid);
ALTER TABLE project_statuses ADD COLUMN created_by_gid TEXT REFERENCES actors(gid);
ALTER TABLE project_statuses ADD COLUMN project_gid TEXT REFERENCES projects(gid);
ALTER TABLE project_briefs ADD COLUMN title TEXT;
ALTER TABLE project_briefs ADD COLUMN text TEXT;
ALTER TABLE project_briefs ADD COLUMN html_text TEXT;
ALTER TABLE project_briefs ADD COLUMN permalink_url TEXT;
ALTER TABLE project_briefs ADD COLUMN project_gid TEXT REFERENCES projects(gid);
ALTER TABLE project_templates ADD COLUMN description TEXT;
ALTER TABLE project_templates ADD COLUMN html_description TEXT;
ALTER TABLE project_templates ADD COLUMN public INTEGER;
ALTER TABLE project_templates ADD COLUMN color TEXT;
ALTER TABLE project_templates ADD COLUMN requested_dates TEXT;
ALTER TABLE project_templates ADD COLUMN requested_roles TEXT;
ALTER TABLE project_templates ADD COLUMN owner_gid TEXT REFERENCES actors(gid);
ALTER TABLE project_templates ADD COLUMN team_gid TEXT REFERENCES teams(gid);
ALTER TABLE project_templates ADD COLUMN workspace_gid TEXT REFERENCES workspaces(gid);
ALTER TABLE custom_type_status_options ADD COLUMN completion_state TEXT;
ALTER TABLE custom_type_status_options ADD COLUMN enabled INTEGER;
ALTER TABLE custom_type_status_options ADD COLUMN color TEXT;
ALTER TABLE custom_type_status_options ADD COLUMN custom_type_gid TEXT REFERENCES custom_types(gid);
ALTER TABLE custom_type_status_options ADD COLUMN position INTEGER;
ALTER TABLE sections ADD COLUMN user_task_list_gid TEXT REFERENCES user_task_lists(gid);

CREATE TABLE project_custom_types (
    project_gid TEXT NOT NULL REFERENCES projects(gid),
    custom_type_gid TEXT NOT NULL REFERENCES custom_types(gid),
    PRIMARY KEY (project_gid, custom_type_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE status_update_likes (
    status_update_gid TEXT NOT NULL REFERENCES status_updates(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (status_update_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfolio_members (
    portfolio_gid TEXT NOT NULL REFERENCES portfolios(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (portfolio_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfolio_project_templates (
    portfolio_gid TEXT NOT NULL REFERENCES portfolios(gid),
    project_template_gid TEXT NOT NULL REFERENCES project_templates(gid),
    PRIMARY KEY (portfolio_gid, project_template_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE goal_followers (
    goal_gid TEXT NOT NULL REFERENCES goals(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (goal_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE goal_likes (
    goal_gid TEXT NOT NULL REFERENCES goals(gid),
    actor_gid TEXT NOT NULL REFERENCES actors(gid),
    PRIMARY KEY (goal_gid, actor_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE time_tracking_entry_categories (
    time_tracking_entry_gid TEXT NOT NULL REFERENCES time_tracking_entries(gid),
    time_tracking_category_gid TEXT NOT NULL REFERENCES time_tracking_categories(gid),
    PRIMARY KEY (time_tracking_entry_gid, time_tracking_category_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE portfolio_custom_fields (
    portfolio_gid TEXT NOT NULL REFERENCES portfolios(gid),
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
    PRIMARY KEY (portfolio_gid, custom_field_gid)
) STRICT, WITHOUT ROWID;

CREATE TABLE goal_custom_fields (
    goal_gid TEXT NOT NULL REFERENCES goals(gid),
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
    PRIMARY KEY (goal_gid, custom_field_gid)
) STRICT, WITHOUT ROWID;

-- Items are projects and portfolios, in the order of the last listing.
CREATE TABLE portfolio_items (
    portfolio_gid TEXT NOT NULL REFERENCES portfolios(gid),
    item_gid TEXT NOT NULL,
    item_type TEXT,
    position INTEGER,
    PRIMARY KEY (portfolio_gid, item_gid)
) STRICT, WITHOUT ROWID;

-- What the token's own user has marked as favorite, in the order of Asana's sidebar.
CREATE TABLE favorites (
    workspace_gid TEXT NOT NULL REFERENCES workspaces(gid),
    item_gid TEXT NOT NULL,
    item_type TEXT NOT NULL,
    position INTEGER,
    PRIMARY KEY (workspace_gid, item_gid)
) STRICT, WITHOUT ROWID;

-- What people and the mirror itself look up.
CREATE INDEX status_updates_parent ON status_updates (parent_gid, created_at);
CREATE INDEX project_statuses_project ON project_statuses (project_gid);
CREATE INDEX project_briefs_project ON project_briefs (project_gid);
CREATE INDEX project_templates_team ON project_templates (team_gid);
CREATE INDEX project_templates_workspace ON project_templates (workspace_gid);
CREATE INDEX custom_type_status_options_custom_type ON custom_type_status_options (custom_type_gid, position);
CREATE INDEX sections_user_task_list ON sections (user_task_list_gid) WHERE user_task_list_gid IS NOT NULL;
CREATE INDEX workspace_memberships_workspace ON workspace_memberships (workspace_gid);
CREATE INDEX workspace_memberships_user ON workspace_memberships (user_gid);
CREATE INDEX user_task_lists_owner ON user_task_lists (owner_gid);
CREATE INDEX project_memberships_parent ON project_memberships (parent_gid);
CREATE INDEX project_memberships_member ON project_memberships (member_gid);
CREATE INDEX portfolio_memberships_parent ON portfolio_memberships (parent_gid);
CREATE INDEX portfolio_memberships_member ON portfolio_memberships (member_gid);
CREATE INDEX goal_memberships_parent ON goal_memberships (parent_gid);
CREATE INDEX goal_memberships_member ON goal_memberships (member_gid);
CREATE INDEX custom_field_memberships_parent ON custom_field_memberships (parent_gid);
CREATE INDEX custom_field_memberships_member ON custom_field_memberships (member_gid);
CREATE INDEX custom_type_memberships_parent ON custom_type_memberships (parent_gid);
CREATE INDEX custom_type_memberships_member ON custom_type_memberships (member_gid);
CREATE INDEX portfolios_workspace ON portfolios (workspace_gid);
CREATE INDEX portfolio_items_item ON portfolio_items (item_gid);
CREATE INDEX project_portfolio_settings_project ON project_portfolio_settings (project_gid);
CREATE INDEX project_portfolio_settings_portfolio ON project_portfolio_settings (portfolio_gid);
CREATE INDEX time_periods_workspace ON time_periods (workspace_gid);
CREATE INDEX goals_workspace ON goals (workspace_gid);
CREATE INDEX goals_owner ON goals (owner_gid);
CREATE INDEX goal_relationships_supported_goal ON goal_relationships (supported_goal_gid);
CREATE INDEX goal_relationships_supporting_resource ON goal_relationships (supporting_resource_gid);
CREATE INDEX time_tracking_categories_workspace ON time_tracking_categories (workspace_gid);
CREATE INDEX time_tracking_entries_workspace ON time_tracking_entries (workspace_gid, entered_on);
CREATE INDEX time_tracking_entries_task ON time_tracking_entries (task_gid);
CREATE INDEX time_tracking_entries_attributable_to ON time_tracking_entries (attributable_to_gid);
CREATE INDEX time_tracking_entries_created_by ON time_tracking_entries (created_by_gid, entered_on);
CREATE INDEX timesheet_approval_statuses_workspace ON timesheet_approval_statuses (workspace_gid);
CREATE INDEX timesheet_approval_statuses_user ON timesheet_approval_statuses (user_gid);
CREATE INDEX allocations_parent ON allocations (parent_gid);
CREATE INDEX allocations_assignee ON allocations (assignee_gid);
CREATE INDEX budgets_parent ON budgets (parent_gid);
CREATE INDEX rates_parent ON rates (parent_gid);
CREATE INDEX rates_resource ON rates (resource_gid);
CREATE INDEX roles_workspace ON roles (workspace_gid);
CREATE INDEX ooo_entries_user ON ooo_entries (user_gid, workspace_gid);
CREATE INDEX access_requests_target ON access_requests (target_gid);
CREATE INDEX task_templates_project ON task_templates (project_gid);
CREATE INDEX reactions_target ON reactions (target_gid, emoji_base);
CREATE INDEX reactions_user ON reactions (user_gid);
CREATE INDEX webhooks_workspace ON webhooks (workspace_gid);
CREATE INDEX audit_log_events_workspace ON audit_log_events (workspace_gid, created_at);
CREATE INDEX project_custom_types_custom_type ON project_custom_types (custom_type_gid);
CREATE INDEX portfolio_members_actor ON portfolio_members (actor_gid);
CREATE INDEX goal_followers_actor ON goal_followers (actor_gid);

ALTER TABLE sync_checkpoints ADD COLUMN part TEXT; -- what a listing names besides its parent: an emoji
