-- What people browse. Holds no data: all views are dropped and made again at every migration.
--
-- Views show the living: what left Asana (_deleted_at) and what is known by reference only (_synced_at IS NULL)
-- stays out, except where a view says otherwise. Names stand next to gids. Whoever acts may be a user or an
-- agent, so names of people come from actors. Days are days of UTC.
--
-- Names are looked up by subqueries over keys, so that a page of a hundred rows looks up a hundred.
-- Where a view ends with rowid, it is that of tasks or stories: full-text search finds rows by it.

CREATE VIEW open_tasks AS
SELECT
    t.gid,
    t.name,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    (SELECT type FROM actors WHERE gid = t.assignee_gid) AS assignee_type,
    t.due_on,
    t.due_at,
    CASE
        WHEN t.due_at IS NOT NULL THEN t.due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        WHEN t.due_on IS NOT NULL THEN t.due_on < date('now')
        ELSE 0
    END AS overdue,
    (SELECT group_concat(coalesce(p.name, p.gid), ', ')
        FROM task_projects AS m JOIN projects AS p ON p.gid = m.project_gid
        WHERE m.task_gid = t.gid) AS projects,
    (SELECT group_concat(s.name, ', ')
        FROM task_projects AS m JOIN sections AS s ON s.gid = m.section_gid
        WHERE m.task_gid = t.gid) AS sections,
    (SELECT name FROM tasks WHERE gid = t.parent_gid) AS parent,
    t.resource_subtype,
    t.approval_status,
    t.start_on,
    t.created_at,
    t.modified_at,
    CAST(julianday('now') - julianday(t.modified_at) AS INTEGER) AS days_since_change,
    t.permalink_url,
    t.assignee_gid,
    t.parent_gid,
    t.workspace_gid,
    t.rowid AS rowid
FROM tasks AS t
WHERE t.completed = 0 AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL;

CREATE VIEW overdue_tasks AS
SELECT
    t.gid,
    t.name,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    (SELECT type FROM actors WHERE gid = t.assignee_gid) AS assignee_type,
    t.due_on,
    t.due_at,
    CAST(julianday('now') - julianday(coalesce(t.due_at, date(t.due_on, '+1 day'))) AS INTEGER) AS days_overdue,
    (SELECT group_concat(coalesce(p.name, p.gid), ', ')
        FROM task_projects AS m JOIN projects AS p ON p.gid = m.project_gid
        WHERE m.task_gid = t.gid) AS projects,
    (SELECT group_concat(s.name, ', ')
        FROM task_projects AS m JOIN sections AS s ON s.gid = m.section_gid
        WHERE m.task_gid = t.gid) AS sections,
    t.resource_subtype,
    t.created_at,
    t.modified_at,
    t.permalink_url,
    t.assignee_gid,
    t.workspace_gid,
    t.rowid AS rowid
FROM tasks AS t
WHERE t.completed = 0 AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
    -- A time of day decides where there is one: the day before may still be today elsewhere.
    AND CASE
        WHEN t.due_at IS NOT NULL THEN t.due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        ELSE t.due_on < date('now')
    END;

CREATE VIEW task_details AS
SELECT
    t.gid,
    t.name,
    t.completed,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    (SELECT type FROM actors WHERE gid = t.assignee_gid) AS assignee_type,
    t.due_on,
    t.due_at,
    (SELECT group_concat(coalesce(p.name, p.gid), ', ')
        FROM task_projects AS m JOIN projects AS p ON p.gid = m.project_gid
        WHERE m.task_gid = t.gid) AS projects,
    (SELECT group_concat(s.name, ', ')
        FROM task_projects AS m JOIN sections AS s ON s.gid = m.section_gid
        WHERE m.task_gid = t.gid) AS sections,
    (SELECT group_concat(g.name, ', ')
        FROM task_tags AS m JOIN tags AS g ON g.gid = m.tag_gid
        WHERE m.task_gid = t.gid) AS tags,
    (SELECT name FROM tasks WHERE gid = t.parent_gid) AS parent,
    t.num_subtasks,
    (SELECT count(*) FROM stories AS s
        WHERE s.target_gid = t.gid AND s.type = 'comment'
            AND s._deleted_at IS NULL AND s._synced_at IS NOT NULL) AS num_comments,
    (SELECT count(*) FROM attachments AS a
        WHERE a.parent_gid = t.gid AND a._deleted_at IS NULL AND a._synced_at IS NOT NULL) AS num_attachments,
    (SELECT count(*) FROM task_dependencies AS d JOIN tasks AS o ON o.gid = d.depends_on_gid
        WHERE d.task_gid = t.gid AND o.completed = 0 AND o._deleted_at IS NULL) AS open_dependencies,
    (SELECT count(*) FROM task_dependencies AS d JOIN tasks AS o ON o.gid = d.task_gid
        WHERE d.depends_on_gid = t.gid AND o.completed = 0 AND o._deleted_at IS NULL) AS open_dependents,
    (SELECT group_concat(coalesce(f.name, f.gid), ', ')
        FROM task_followers AS m JOIN actors AS f ON f.gid = m.actor_gid
        WHERE m.task_gid = t.gid) AS followers,
    t.num_likes,
    t.resource_subtype,
    t.approval_status,
    (SELECT name FROM custom_types WHERE gid = t.custom_type_gid) AS custom_type,
    (SELECT name FROM custom_type_status_options WHERE gid = t.custom_type_status_option_gid) AS custom_status,
    t.start_on,
    t.start_at,
    t.created_at,
    (SELECT name FROM actors WHERE gid = t.created_by_gid) AS created_by,
    t.modified_at,
    t.completed_at,
    (SELECT name FROM actors WHERE gid = t.completed_by_gid) AS completed_by,
    t.actual_time_minutes,
    t.notes,
    t.permalink_url,
    t.assignee_gid,
    t.parent_gid,
    t.created_by_gid,
    t.completed_by_gid,
    t.workspace_gid,
    t.rowid AS rowid
FROM tasks AS t
WHERE t._deleted_at IS NULL AND t._synced_at IS NOT NULL;

-- One row for every task and project it stands in: the list, or the board.
CREATE VIEW project_tasks AS
SELECT
    p.name AS project,
    s.name AS section,
    t.name AS task,
    t.completed,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    (SELECT type FROM actors WHERE gid = t.assignee_gid) AS assignee_type,
    t.due_on,
    t.modified_at,
    s.position AS section_position,
    m.position AS task_position,
    t.permalink_url,
    m.project_gid,
    m.section_gid,
    m.task_gid,
    t.assignee_gid
FROM task_projects AS m
CROSS JOIN tasks AS t ON t.gid = m.task_gid
CROSS JOIN projects AS p ON p.gid = m.project_gid
LEFT JOIN sections AS s ON s.gid = m.section_gid
WHERE t._deleted_at IS NULL AND t._synced_at IS NOT NULL AND p._deleted_at IS NULL;

CREATE VIEW milestones AS
SELECT
    t.gid,
    t.name,
    t.completed,
    t.due_on,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    (SELECT type FROM actors WHERE gid = t.assignee_gid) AS assignee_type,
    (SELECT group_concat(coalesce(p.name, p.gid), ', ')
        FROM task_projects AS m JOIN projects AS p ON p.gid = m.project_gid
        WHERE m.task_gid = t.gid) AS projects,
    CASE WHEN t.completed = 0 AND t.due_on < date('now') THEN 1 ELSE 0 END AS overdue,
    t.completed_at,
    t.permalink_url,
    t.assignee_gid,
    t.rowid AS rowid
FROM tasks AS t
WHERE t.resource_subtype = 'milestone' AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL;

-- Open tasks that wait for open tasks: one row for every pair.
CREATE VIEW blocked_tasks AS
SELECT
    t.name AS task,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    t.due_on,
    o.name AS waits_for,
    (SELECT name FROM actors WHERE gid = o.assignee_gid) AS waits_for_assignee,
    o.due_on AS waits_for_due_on,
    CASE WHEN o.due_on > t.due_on THEN 1 ELSE 0 END AS late_by_plan,
    t.permalink_url,
    d.task_gid,
    d.depends_on_gid,
    t.assignee_gid,
    o.assignee_gid AS waits_for_assignee_gid
FROM task_dependencies AS d
CROSS JOIN tasks AS t ON t.gid = d.task_gid
CROSS JOIN tasks AS o ON o.gid = d.depends_on_gid
WHERE t.completed = 0 AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
    AND o.completed = 0 AND o._deleted_at IS NULL;

-- The other side of task_dependencies: who waits for task_gid. That task itself may be out of the token's sight.
CREATE VIEW task_dependents AS
SELECT
    d.depends_on_gid AS task_gid,
    d.task_gid AS dependent_gid,
    o.name AS task,
    t.name AS dependent,
    t.completed AS dependent_completed
FROM task_dependencies AS d
CROSS JOIN tasks AS t ON t.gid = d.task_gid
CROSS JOIN tasks AS o ON o.gid = d.depends_on_gid
WHERE t._deleted_at IS NULL AND t._synced_at IS NOT NULL AND o._deleted_at IS NULL;

-- Every task that has subtasks and no living parent is a root; a task stands in one tree only.
CREATE VIEW subtask_tree AS
WITH RECURSIVE tree (root_gid, gid, parent_gid, depth, path) AS (
    SELECT r.gid, r.gid, r.parent_gid, 0, coalesce(r.name, '')
    FROM tasks AS r
    WHERE r._deleted_at IS NULL AND r._synced_at IS NOT NULL
        AND EXISTS (SELECT 1 FROM tasks AS c WHERE c.parent_gid = r.gid AND c._deleted_at IS NULL)
        AND NOT EXISTS (
            SELECT 1 FROM tasks AS p
            WHERE p.gid = r.parent_gid AND p._deleted_at IS NULL AND p._synced_at IS NOT NULL)
    UNION ALL
    SELECT tree.root_gid, c.gid, c.parent_gid, tree.depth + 1, tree.path || ' › ' || coalesce(c.name, '')
    FROM tree CROSS JOIN tasks AS c ON c.parent_gid = tree.gid
    WHERE c._deleted_at IS NULL AND c._synced_at IS NOT NULL
)
SELECT
    tree.path,
    tree.depth,
    t.name,
    t.completed,
    (SELECT name FROM actors WHERE gid = t.assignee_gid) AS assignee,
    t.due_on,
    t.permalink_url,
    tree.root_gid,
    tree.gid,
    tree.parent_gid,
    t.assignee_gid
FROM tree CROSS JOIN tasks AS t ON t.gid = tree.gid;

CREATE VIEW comments AS
SELECT
    s.gid,
    s.created_at,
    (SELECT name FROM actors WHERE gid = s.created_by_gid) AS author,
    (SELECT type FROM actors WHERE gid = s.created_by_gid) AS author_type,
    (SELECT name FROM tasks WHERE gid = s.target_gid) AS task,
    s.text,
    s.num_likes,
    s.is_pinned,
    s.is_edited,
    s.created_by_gid,
    s.target_gid AS task_gid,
    s.rowid AS rowid
FROM stories AS s
WHERE s.type = 'comment' AND s._deleted_at IS NULL AND s._synced_at IS NOT NULL;

-- days_in_old_section counts from the move into that section, or from the making of the task.
CREATE VIEW section_moves AS
SELECT
    s.gid,
    s.created_at,
    (SELECT name FROM tasks WHERE gid = s.target_gid) AS task,
    (SELECT p.name FROM sections AS n JOIN projects AS p ON p.gid = n.project_gid
        WHERE n.gid = s.new_section_gid) AS project,
    (SELECT name FROM sections WHERE gid = s.old_section_gid) AS old_section,
    (SELECT name FROM sections WHERE gid = s.new_section_gid) AS new_section,
    round(julianday(s.created_at) - julianday(coalesce(
        (SELECT max(b.created_at) FROM stories AS b
            WHERE b.target_gid = s.target_gid AND b.created_at < s.created_at
                AND b.new_section_gid = s.old_section_gid AND b._deleted_at IS NULL),
        (SELECT created_at FROM tasks WHERE gid = s.target_gid))), 1) AS days_in_old_section,
    (SELECT name FROM actors WHERE gid = s.created_by_gid) AS moved_by,
    (SELECT type FROM actors WHERE gid = s.created_by_gid) AS moved_by_type,
    s.target_gid AS task_gid,
    s.old_section_gid,
    s.new_section_gid,
    s.created_by_gid
FROM stories AS s
WHERE s.resource_subtype = 'section_changed' AND s._deleted_at IS NULL AND s._synced_at IS NOT NULL;

CREATE VIEW task_attachments AS
SELECT
    a.gid,
    a.name,
    t.name AS task,
    a.host,
    a.size,
    a.created_at,
    a.permanent_url,
    a.parent_gid AS task_gid
FROM attachments AS a
CROSS JOIN tasks AS t ON t.gid = a.parent_gid
WHERE a._deleted_at IS NULL AND a._synced_at IS NOT NULL AND t._deleted_at IS NULL;

-- Only fields that have a value. Names of options and people are those of now; else Asana's display_value.
CREATE VIEW custom_field_values AS
SELECT
    t.name AS task,
    f.name AS custom_field,
    coalesce(
        CASE
            WHEN v.enum_option_gid IS NOT NULL
                THEN (SELECT name FROM enum_options WHERE gid = v.enum_option_gid)
            WHEN v.multi_enum_option_gids <> '[]'
                THEN (SELECT group_concat(o.name, ', ')
                    FROM json_each(v.multi_enum_option_gids) AS j JOIN enum_options AS o ON o.gid = j.value)
            WHEN v.people_gids <> '[]'
                THEN (SELECT group_concat(coalesce(a.name, a.gid), ', ')
                    FROM json_each(v.people_gids) AS j JOIN actors AS a ON a.gid = j.value)
        END,
        nullif(v.display_value, ''), v.text_value, v.date_value, CAST(v.number_value AS TEXT)
    ) AS value,
    v.number_value,
    v.date_value,
    v.type,
    v.task_gid,
    v.custom_field_gid,
    v.enum_option_gid
FROM task_custom_fields AS v
CROSS JOIN tasks AS t ON t.gid = v.task_gid
CROSS JOIN custom_fields AS f ON f.gid = v.custom_field_gid
WHERE t._deleted_at IS NULL AND t._synced_at IS NOT NULL AND f._deleted_at IS NULL
    AND (nullif(v.display_value, '') IS NOT NULL OR nullif(v.text_value, '') IS NOT NULL
        OR v.number_value IS NOT NULL OR v.enum_option_gid IS NOT NULL OR v.date_value IS NOT NULL
        OR v.multi_enum_option_gids <> '[]' OR v.people_gids <> '[]' OR v.reference_gids <> '[]');

-- Tasks that stand in the project themselves; their subtasks only where they stand in it too.
-- Counted per project shown: facets and row counts, which look at every project, then count no task.
CREATE VIEW project_progress AS
SELECT
    p.gid,
    p.name,
    (SELECT name FROM actors WHERE gid = p.owner_gid) AS owner,
    (SELECT name FROM teams WHERE gid = p.team_gid) AS team,
    (SELECT count(*) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL) AS tasks,
    (SELECT count(*) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
            AND t.completed = 1) AS completed,
    (SELECT count(*) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
            AND t.completed = 0) AS open,
    (SELECT count(*) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
            AND t.completed = 0 AND CASE
                WHEN t.due_at IS NOT NULL THEN t.due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
                ELSE t.due_on < date('now')
            END) AS overdue,
    (SELECT round(100.0 * avg(t.completed), 1) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL) AS percent_completed,
    (SELECT min(t.due_on) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
            AND t.completed = 0 AND t.due_on >= date('now')) AS next_due_on,
    (SELECT max(t.modified_at) FROM task_projects AS m JOIN tasks AS t ON t.gid = m.task_gid
        WHERE m.project_gid = p.gid AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL) AS last_task_change_at,
    (SELECT title FROM status_updates WHERE gid = p.current_status_update_gid) AS current_status,
    p.due_on,
    p.archived,
    p.permalink_url,
    p.owner_gid,
    p.team_gid,
    p.workspace_gid
FROM projects AS p
WHERE p._deleted_at IS NULL AND p._synced_at IS NOT NULL;

-- Whoever is a member, and whoever has left and still has open tasks (present = 0).
CREATE VIEW workload AS
SELECT
    a.gid,
    a.name,
    a.type,
    CASE WHEN
        EXISTS (SELECT 1 FROM users AS u WHERE u.gid = a.gid AND u._deleted_at IS NULL AND u._synced_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM agents AS g WHERE g.gid = a.gid AND g._deleted_at IS NULL AND g._synced_at IS NOT NULL)
    THEN 1 ELSE 0 END AS present,
    count(t.gid) AS open,
    count(t.gid) FILTER (WHERE CASE
        WHEN t.due_at IS NOT NULL THEN t.due_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        ELSE t.due_on < date('now')
    END) AS overdue,
    count(t.gid) FILTER (WHERE CASE
        WHEN t.due_at IS NOT NULL THEN t.due_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
        ELSE t.due_on >= date('now')
    END AND t.due_on <= date('now', '+7 days')) AS due_in_7_days,
    count(t.gid) FILTER (WHERE t.due_on IS NULL) AS without_due_date,
    min(t.due_on) AS earliest_due_on
FROM actors AS a
LEFT JOIN tasks AS t
    ON t.assignee_gid = a.gid AND t.completed = 0 AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL
GROUP BY a.gid
HAVING present = 1 OR open > 0;

CREATE VIEW weekly_throughput AS
SELECT
    week_begins_on,
    sum(created) AS created,
    sum(completed) AS completed
FROM (
    SELECT date(created_at, 'weekday 0', '-6 days') AS week_begins_on, 1 AS created, 0 AS completed
    FROM tasks WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL AND created_at IS NOT NULL
    UNION ALL
    SELECT date(completed_at, 'weekday 0', '-6 days'), 0, 1
    FROM tasks WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL AND completed_at IS NOT NULL
)
GROUP BY week_begins_on;

-- What left Asana and keeps its row here.
CREATE VIEW tombstones AS
SELECT 'workspaces' AS resource, gid, name, _deleted_at AS deleted_at, _deleted_reason AS deleted_reason
FROM workspaces WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'users', gid, name, _deleted_at, _deleted_reason FROM users WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'agents', gid, name, _deleted_at, _deleted_reason FROM agents WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'teams', gid, name, _deleted_at, _deleted_reason FROM teams WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'team_memberships', gid, NULL, _deleted_at, _deleted_reason FROM team_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'projects', gid, name, _deleted_at, _deleted_reason FROM projects WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'sections', gid, name, _deleted_at, _deleted_reason FROM sections WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'tags', gid, name, _deleted_at, _deleted_reason FROM tags WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'custom_fields', gid, name, _deleted_at, _deleted_reason FROM custom_fields WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'enum_options', gid, name, _deleted_at, _deleted_reason FROM enum_options WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'custom_field_settings', gid, NULL, _deleted_at, _deleted_reason FROM custom_field_settings WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'tasks', gid, name, _deleted_at, _deleted_reason FROM tasks WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'stories', gid, substr(text, 1, 80), _deleted_at, _deleted_reason FROM stories WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'attachments', gid, name, _deleted_at, _deleted_reason FROM attachments WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'project_statuses', gid, title, _deleted_at, _deleted_reason FROM project_statuses WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'status_updates', gid, title, _deleted_at, _deleted_reason FROM status_updates WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'project_briefs', gid, title, _deleted_at, _deleted_reason FROM project_briefs WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'project_templates', gid, name, _deleted_at, _deleted_reason FROM project_templates WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'custom_types', gid, name, _deleted_at, _deleted_reason FROM custom_types WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'custom_type_status_options', gid, name, _deleted_at, _deleted_reason FROM custom_type_status_options WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'user_task_lists', gid, name, _deleted_at, _deleted_reason FROM user_task_lists WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'workspace_memberships', gid, NULL, _deleted_at, _deleted_reason FROM workspace_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'project_memberships', gid, NULL, _deleted_at, _deleted_reason FROM project_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'portfolio_memberships', gid, NULL, _deleted_at, _deleted_reason FROM portfolio_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'goal_memberships', gid, NULL, _deleted_at, _deleted_reason FROM goal_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'custom_field_memberships', gid, NULL, _deleted_at, _deleted_reason FROM custom_field_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'custom_type_memberships', gid, NULL, _deleted_at, _deleted_reason FROM custom_type_memberships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'portfolios', gid, name, _deleted_at, _deleted_reason FROM portfolios WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'project_portfolio_settings', gid, NULL, _deleted_at, _deleted_reason FROM project_portfolio_settings WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'time_periods', gid, display_name, _deleted_at, _deleted_reason FROM time_periods WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'goals', gid, name, _deleted_at, _deleted_reason FROM goals WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'goal_relationships', gid, NULL, _deleted_at, _deleted_reason FROM goal_relationships WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'time_tracking_categories', gid, name, _deleted_at, _deleted_reason FROM time_tracking_categories WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'time_tracking_entries', gid, substr(description, 1, 80), _deleted_at, _deleted_reason FROM time_tracking_entries WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'timesheet_approval_statuses', gid, NULL, _deleted_at, _deleted_reason FROM timesheet_approval_statuses WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'allocations', gid, NULL, _deleted_at, _deleted_reason FROM allocations WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'budgets', gid, NULL, _deleted_at, _deleted_reason FROM budgets WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'rates', gid, NULL, _deleted_at, _deleted_reason FROM rates WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'roles', gid, name, _deleted_at, _deleted_reason FROM roles WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'ooo_entries', gid, NULL, _deleted_at, _deleted_reason FROM ooo_entries WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'access_requests', gid, NULL, _deleted_at, _deleted_reason FROM access_requests WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'task_templates', gid, name, _deleted_at, _deleted_reason FROM task_templates WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'reactions', gid, emoji, _deleted_at, _deleted_reason FROM reactions WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'webhooks', gid, NULL, _deleted_at, _deleted_reason FROM webhooks WHERE _deleted_at IS NOT NULL
UNION ALL SELECT 'audit_log_events', gid, event_type, _deleted_at, _deleted_reason FROM audit_log_events WHERE _deleted_at IS NOT NULL;
