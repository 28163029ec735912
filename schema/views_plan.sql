-- What people browse of goals, portfolios, time, money and access; the manner of views.sql.
--
-- What Asana sends as a small structure (a metric, an effort, a part of a budget) is taken apart here; what is not in
-- it is NULL, and so is whatever SQLite divides by zero. Where a column x_gid has x_type beside it, that is Asana's own
-- word for the kind of record it leads to.

-- percent is the way from the initial value to the target: it may be negative, or above 100.
CREATE VIEW goal_progress AS
SELECT
    g.gid,
    g.name,
    (SELECT name FROM actors WHERE gid = g.owner_gid) AS owner,
    (SELECT name FROM teams WHERE gid = g.team_gid) AS team,
    (SELECT display_name FROM time_periods WHERE gid = g.time_period_gid) AS time_period,
    g.status,
    CASE WHEN g.status IN ('achieved', 'partial', 'missed', 'dropped') THEN 1 ELSE 0 END AS closed,
    round(100.0
        * (json_extract(g.metric, '$.current_number_value') - json_extract(g.metric, '$.initial_number_value'))
        / (json_extract(g.metric, '$.target_number_value') - json_extract(g.metric, '$.initial_number_value')), 1)
        AS percent,
    json_extract(g.metric, '$.current_display_value') AS display_value,
    json_extract(g.metric, '$.initial_number_value') AS initial_value,
    json_extract(g.metric, '$.current_number_value') AS current_value,
    json_extract(g.metric, '$.target_number_value') AS target_value,
    json_extract(g.metric, '$.unit') AS unit,
    json_extract(g.metric, '$.currency_code') AS currency_code,
    json_extract(g.metric, '$.progress_source') AS progress_source,
    (SELECT group_concat(coalesce(o.name, o.gid), ', ')
        FROM goal_relationships AS r JOIN goals AS o ON o.gid = r.supported_goal_gid
        WHERE r.supporting_resource_gid = g.gid AND r.resource_subtype = 'subgoal'
            AND r._deleted_at IS NULL AND r._synced_at IS NOT NULL AND o._deleted_at IS NULL) AS parent_goals,
    (SELECT count(*) FROM goal_relationships AS r
        WHERE r.supported_goal_gid = g.gid AND r.resource_subtype = 'subgoal'
            AND r._deleted_at IS NULL AND r._synced_at IS NOT NULL) AS subgoals,
    (SELECT count(*) FROM goal_relationships AS r
        WHERE r.supported_goal_gid = g.gid
            AND r._deleted_at IS NULL AND r._synced_at IS NOT NULL) AS supporting_resources,
    (SELECT title FROM status_updates WHERE gid = g.current_status_update_gid) AS current_status,
    g.start_on,
    g.due_on,
    g.is_workspace_level,
    g.owner_gid,
    g.team_gid,
    g.time_period_gid,
    g.workspace_gid
FROM goals AS g
WHERE g._deleted_at IS NULL AND g._synced_at IS NOT NULL;

-- One row for every goal and goal above it, which may be out of the token's sight.
CREATE VIEW goal_parents AS
SELECT
    g.name AS goal,
    o.name AS parent_goal,
    (SELECT name FROM actors WHERE gid = g.owner_gid) AS owner,
    g.status,
    o.status AS parent_status,
    r.contribution_weight,
    r.supporting_resource_gid AS goal_gid,
    r.supported_goal_gid AS parent_goal_gid,
    g.owner_gid
FROM goal_relationships AS r
CROSS JOIN goals AS g ON g.gid = r.supporting_resource_gid
CROSS JOIN goals AS o ON o.gid = r.supported_goal_gid
WHERE r.resource_subtype = 'subgoal' AND r._deleted_at IS NULL AND r._synced_at IS NOT NULL
    AND g._deleted_at IS NULL AND g._synced_at IS NOT NULL AND o._deleted_at IS NULL;

-- What a goal rests on: subgoals, and the projects, portfolios and tasks of supporting work.
CREATE VIEW goal_support AS
SELECT
    g.name AS goal,
    coalesce(s.name, p.name, f.name, t.name) AS supported_by,
    r.supporting_resource_type,
    r.resource_subtype,
    r.contribution_weight,
    r.supported_goal_gid AS goal_gid,
    r.supporting_resource_gid
FROM goal_relationships AS r
CROSS JOIN goals AS g ON g.gid = r.supported_goal_gid
LEFT JOIN goals AS s ON s.gid = r.supporting_resource_gid
LEFT JOIN projects AS p ON p.gid = r.supporting_resource_gid
LEFT JOIN portfolios AS f ON f.gid = r.supporting_resource_gid
LEFT JOIN tasks AS t ON t.gid = r.supporting_resource_gid
WHERE r._deleted_at IS NULL AND r._synced_at IS NOT NULL
    AND g._deleted_at IS NULL AND g._synced_at IS NOT NULL
    AND coalesce(s._deleted_at, p._deleted_at, f._deleted_at, t._deleted_at) IS NULL;

-- One row for every portfolio and project below it, however deep and by however many ways. Portfolios may hold each
-- other in a ring: UNION meets each pair once.
CREATE VIEW portfolio_projects AS
SELECT
    (SELECT name FROM portfolios WHERE gid = x.portfolio_gid) AS portfolio,
    p.name AS project,
    (SELECT name FROM actors WHERE gid = p.owner_gid) AS owner,
    (SELECT title FROM status_updates WHERE gid = p.current_status_update_gid) AS current_status,
    (SELECT status_type FROM status_updates WHERE gid = p.current_status_update_gid) AS status_type,
    p.start_on,
    p.due_on,
    p.completed,
    p.archived,
    (SELECT tasks FROM project_progress WHERE gid = p.gid) AS tasks,
    (SELECT overdue FROM project_progress WHERE gid = p.gid) AS overdue_tasks,
    (SELECT percent_completed FROM project_progress WHERE gid = p.gid) AS percent_completed,
    x.direct,
    x.through,
    p.permalink_url,
    x.portfolio_gid,
    x.project_gid,
    p.owner_gid
FROM (
    WITH RECURSIVE unfolded (portfolio_gid, holder_gid) AS (
        SELECT gid, gid FROM portfolios WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL
        UNION
        SELECT u.portfolio_gid, i.item_gid
        FROM unfolded AS u
        CROSS JOIN portfolio_items AS i ON i.portfolio_gid = u.holder_gid
        CROSS JOIN portfolios AS n ON n.gid = i.item_gid
        WHERE n._deleted_at IS NULL
    )
    SELECT
        u.portfolio_gid,
        i.item_gid AS project_gid,
        max(u.holder_gid = u.portfolio_gid) AS direct,
        group_concat(CASE WHEN u.holder_gid <> u.portfolio_gid
            THEN (SELECT coalesce(name, gid) FROM portfolios WHERE gid = u.holder_gid) END, ', ') AS through
    FROM unfolded AS u
    CROSS JOIN portfolio_items AS i ON i.portfolio_gid = u.holder_gid
    GROUP BY u.portfolio_gid, i.item_gid
) AS x
CROSS JOIN projects AS p ON p.gid = x.project_gid
WHERE p._deleted_at IS NULL AND p._synced_at IS NOT NULL;

-- previous_status_type is that of the update before on the same thing; changed says whether this one differs.
CREATE VIEW status_history AS
SELECT
    s.gid,
    s.created_at,
    s.parent_type,
    coalesce((SELECT name FROM projects WHERE gid = s.parent_gid),
        (SELECT name FROM portfolios WHERE gid = s.parent_gid),
        (SELECT name FROM goals WHERE gid = s.parent_gid)) AS parent,
    s.title,
    s.status_type,
    (SELECT b.status_type FROM status_updates AS b
        WHERE b.parent_gid = s.parent_gid AND b.created_at < s.created_at
            AND b._deleted_at IS NULL AND b._synced_at IS NOT NULL
        ORDER BY b.created_at DESC LIMIT 1) AS previous_status_type,
    (SELECT b.status_type IS NOT s.status_type FROM status_updates AS b
        WHERE b.parent_gid = s.parent_gid AND b.created_at < s.created_at
            AND b._deleted_at IS NULL AND b._synced_at IS NOT NULL
        ORDER BY b.created_at DESC LIMIT 1) AS changed,
    (SELECT name FROM actors WHERE gid = coalesce(s.author_gid, s.created_by_gid)) AS author,
    s.text,
    s.num_likes,
    s.modified_at,
    s.parent_gid,
    coalesce(s.author_gid, s.created_by_gid) AS author_gid
FROM status_updates AS s
WHERE s._deleted_at IS NULL AND s._synced_at IS NOT NULL;

-- project is the one that the time is attributed to; the task may stand in others.
CREATE VIEW time_entered AS
SELECT
    e.gid,
    e.entered_on,
    (SELECT name FROM actors WHERE gid = e.created_by_gid) AS person,
    (SELECT name FROM tasks WHERE gid = e.task_gid) AS task,
    (SELECT name FROM projects WHERE gid = e.attributable_to_gid) AS project,
    round(e.duration_minutes / 60.0, 2) AS hours,
    e.duration_minutes,
    (SELECT group_concat(coalesce(c.name, c.gid), ', ')
        FROM time_tracking_entry_categories AS m
        JOIN time_tracking_categories AS c ON c.gid = m.time_tracking_category_gid
        WHERE m.time_tracking_entry_gid = e.gid) AS categories,
    e.billable_status,
    e.approval_status,
    e.description,
    e.created_at,
    e.task_gid,
    e.attributable_to_gid AS project_gid,
    e.created_by_gid,
    e.workspace_gid
FROM time_tracking_entries AS e
WHERE e._deleted_at IS NULL AND e._synced_at IS NOT NULL;

-- Time that is attributed to no project has a row of its own, so that the sum is that of all time.
CREATE VIEW time_by_project AS
SELECT
    (SELECT name FROM projects WHERE gid = x.project_gid) AS project,
    x.hours,
    x.billable_hours,
    x.approved_hours,
    x.entries,
    x.tasks,
    x.people,
    x.first_entered_on,
    x.last_entered_on,
    x.project_gid
FROM (
    SELECT
        attributable_to_gid AS project_gid,
        round(total(duration_minutes) / 60, 2) AS hours,
        round(total(duration_minutes) FILTER (WHERE billable_status = 'billable') / 60, 2) AS billable_hours,
        round(total(duration_minutes) FILTER (WHERE approval_status = 'APPROVED') / 60, 2) AS approved_hours,
        count(*) AS entries,
        count(DISTINCT task_gid) AS tasks,
        count(DISTINCT created_by_gid) AS people,
        min(entered_on) AS first_entered_on,
        max(entered_on) AS last_entered_on
    FROM time_tracking_entries
    WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL
    GROUP BY attributable_to_gid
) AS x;

CREATE VIEW time_by_person AS
SELECT
    x.month,
    (SELECT name FROM actors WHERE gid = x.person_gid) AS person,
    x.hours,
    x.billable_hours,
    x.approved_hours,
    x.entries,
    x.days,
    x.projects,
    x.person_gid
FROM (
    SELECT
        substr(entered_on, 1, 7) AS month,
        created_by_gid AS person_gid,
        round(total(duration_minutes) / 60, 2) AS hours,
        round(total(duration_minutes) FILTER (WHERE billable_status = 'billable') / 60, 2) AS billable_hours,
        round(total(duration_minutes) FILTER (WHERE approval_status = 'APPROVED') / 60, 2) AS approved_hours,
        count(*) AS entries,
        count(DISTINCT entered_on) AS days,
        count(DISTINCT attributable_to_gid) AS projects
    FROM time_tracking_entries
    WHERE _deleted_at IS NULL AND _synced_at IS NOT NULL
    GROUP BY created_by_gid, substr(entered_on, 1, 7)
) AS x;

-- hours: what the person has entered for the days of the sheet, in its workspace.
CREATE VIEW timesheets AS
SELECT
    s.gid,
    (SELECT name FROM actors WHERE gid = s.user_gid) AS person,
    s.start_date,
    s.end_date,
    s.approval_status,
    (SELECT round(total(e.duration_minutes) / 60, 2) FROM time_tracking_entries AS e
        WHERE e.created_by_gid = s.user_gid AND e.entered_on BETWEEN s.start_date AND s.end_date
            AND coalesce(e.workspace_gid, s.workspace_gid) IS s.workspace_gid
            AND e._deleted_at IS NULL AND e._synced_at IS NOT NULL) AS hours,
    CASE WHEN s.end_date < date('now') THEN 1 ELSE 0 END AS ended,
    s.created_at,
    s.user_gid,
    s.workspace_gid
FROM timesheet_approval_statuses AS s
WHERE s._deleted_at IS NULL AND s._synced_at IS NOT NULL;

-- A team stands for all its members (team_memberships).
CREATE VIEW who_has_access AS
SELECT
    x.parent_type,
    x.parent,
    coalesce((SELECT name FROM actors WHERE gid = x.member_gid),
        (SELECT name FROM teams WHERE gid = x.member_gid)) AS member,
    x.member_type,
    x.access_level,
    x.resource,
    x.gid,
    x.parent_gid,
    x.member_gid
FROM (
    SELECT 'project_memberships' AS resource, 'project' AS parent_type,
        (SELECT name FROM projects WHERE gid = m.parent_gid) AS parent,
        m.gid, m.member_type, m.access_level, m.parent_gid, m.member_gid
    FROM project_memberships AS m WHERE m._deleted_at IS NULL AND m._synced_at IS NOT NULL
    UNION ALL SELECT 'portfolio_memberships', 'portfolio',
        (SELECT name FROM portfolios WHERE gid = m.parent_gid),
        m.gid, m.member_type, m.access_level, m.parent_gid, m.member_gid
    FROM portfolio_memberships AS m WHERE m._deleted_at IS NULL AND m._synced_at IS NOT NULL
    UNION ALL SELECT 'goal_memberships', 'goal',
        (SELECT name FROM goals WHERE gid = m.parent_gid),
        m.gid, m.member_type, m.access_level, m.parent_gid, m.member_gid
    FROM goal_memberships AS m WHERE m._deleted_at IS NULL AND m._synced_at IS NOT NULL
    UNION ALL SELECT 'custom_field_memberships', 'custom_field',
        (SELECT name FROM custom_fields WHERE gid = m.parent_gid),
        m.gid, m.member_type, m.access_level, m.parent_gid, m.member_gid
    FROM custom_field_memberships AS m WHERE m._deleted_at IS NULL AND m._synced_at IS NOT NULL
    UNION ALL SELECT 'custom_type_memberships', 'custom_type',
        (SELECT name FROM custom_types WHERE gid = m.parent_gid),
        m.gid, m.member_type, m.access_level, m.parent_gid, m.member_gid
    FROM custom_type_memberships AS m WHERE m._deleted_at IS NULL AND m._synced_at IS NOT NULL
) AS x;

CREATE VIEW open_access_requests AS
SELECT
    r.gid,
    (SELECT name FROM actors WHERE gid = r.requester_gid) AS requester,
    r.target_type,
    coalesce((SELECT name FROM projects WHERE gid = r.target_gid),
        (SELECT name FROM portfolios WHERE gid = r.target_gid),
        (SELECT name FROM goals WHERE gid = r.target_gid)) AS target,
    r.message,
    r.requester_gid,
    r.target_gid
FROM access_requests AS r
WHERE r.approval_status = 'pending' AND r._deleted_at IS NULL AND r._synced_at IS NOT NULL;

-- days counts the first and the last; away tells that the assignee is out of office on some of them.
CREATE VIEW capacity AS
SELECT
    a.gid,
    (SELECT name FROM actors WHERE gid = a.assignee_gid) AS assignee,
    a.assignee_type,
    (SELECT name FROM projects WHERE gid = a.parent_gid) AS project,
    a.start_date,
    a.end_date,
    CAST(julianday(a.end_date) - julianday(a.start_date) AS INTEGER) + 1 AS days,
    json_extract(a.effort, '$.value') AS effort,
    json_extract(a.effort, '$.type') AS effort_unit,
    CASE WHEN date('now') BETWEEN a.start_date AND a.end_date THEN 1 ELSE 0 END AS is_now,
    EXISTS (SELECT 1 FROM ooo_entries AS o
        WHERE o.user_gid = a.assignee_gid AND o.start_date <= a.end_date AND o.end_date >= a.start_date
            AND o._deleted_at IS NULL AND o._synced_at IS NOT NULL) AS away,
    (SELECT name FROM actors WHERE gid = a.created_by_gid) AS created_by,
    a.assignee_gid,
    a.parent_gid AS project_gid,
    a.created_by_gid
FROM allocations AS a
WHERE a._deleted_at IS NULL AND a._synced_at IS NOT NULL;

-- Tasks are counted for what is not over: what fell due in the past is overdue anyway.
CREATE VIEW out_of_office AS
SELECT
    o.gid,
    (SELECT name FROM actors WHERE gid = o.user_gid) AS person,
    o.start_date,
    o.end_date,
    CAST(julianday(o.end_date) - julianday(o.start_date) AS INTEGER) + 1 AS days,
    CASE WHEN date('now') BETWEEN o.start_date AND o.end_date THEN 1 ELSE 0 END AS is_now,
    CASE WHEN o.end_date >= date('now') THEN
        (SELECT count(*) FROM tasks AS t
            WHERE t.assignee_gid = o.user_gid AND t.completed = 0 AND t.due_on BETWEEN o.start_date AND o.end_date
                AND t._deleted_at IS NULL AND t._synced_at IS NOT NULL)
    END AS open_tasks_due,
    (SELECT name FROM actors WHERE gid = o.created_by_gid) AS created_by,
    o.user_gid,
    o.created_by_gid,
    o.workspace_gid
FROM ooo_entries AS o
WHERE o._deleted_at IS NULL AND o._synced_at IS NOT NULL;

CREATE VIEW project_budgets AS
SELECT
    b.gid,
    (SELECT name FROM projects WHERE gid = b.parent_gid) AS project,
    b.budget_type,
    coalesce(json_extract(b.total, '$.units'), json_extract(b.actual, '$.units'),
        json_extract(b.estimate, '$.units')) AS units,
    json_extract(b.total, '$.value') AS total,
    json_extract(b.estimate, '$.value') AS estimate,
    json_extract(b.actual, '$.value') AS actual,
    json_extract(b.total, '$.value') - json_extract(b.actual, '$.value') AS remaining,
    round(100.0 * json_extract(b.actual, '$.value') / json_extract(b.total, '$.value'), 1) AS percent_used,
    round(100.0 * json_extract(b.estimate, '$.value') / json_extract(b.total, '$.value'), 1)
        AS percent_estimated,
    json_extract(b.estimate, '$.source') AS estimate_source,
    json_extract(b.actual, '$.billable_status_filter') AS actual_counts,
    b.parent_gid AS project_gid
FROM budgets AS b
WHERE b._deleted_at IS NULL AND b._synced_at IS NOT NULL;

CREATE VIEW rates_by_project AS
SELECT
    r.gid,
    (SELECT name FROM projects WHERE gid = r.parent_gid) AS project,
    (SELECT name FROM actors WHERE gid = r.resource_gid) AS person,
    r.resource_type,
    r.rate,
    r.currency_code,
    (SELECT name FROM actors WHERE gid = r.created_by_gid) AS created_by,
    r.parent_gid AS project_gid,
    r.resource_gid,
    r.created_by_gid
FROM rates AS r
WHERE r._deleted_at IS NULL AND r._synced_at IS NOT NULL;

CREATE VIEW reactions_given AS
SELECT
    r.gid,
    r.emoji,
    (SELECT name FROM actors WHERE gid = r.user_gid) AS person,
    r.target_type,
    substr(coalesce(s.text, u.title), 1, 80) AS target,
    (SELECT name FROM actors WHERE gid = coalesce(s.created_by_gid, u.author_gid, u.created_by_gid)) AS author,
    coalesce(s.created_at, u.created_at) AS target_created_at,
    r.user_gid,
    r.target_gid,
    coalesce(s.created_by_gid, u.author_gid, u.created_by_gid) AS author_gid
FROM reactions AS r
LEFT JOIN stories AS s ON s.gid = r.target_gid
LEFT JOIN status_updates AS u ON u.gid = r.target_gid
WHERE r._deleted_at IS NULL AND r._synced_at IS NOT NULL AND coalesce(s._deleted_at, u._deleted_at) IS NULL;

-- Names and addresses as they were when it happened.
CREATE VIEW audit_log AS
SELECT
    e.gid,
    e.created_at,
    e.event_category,
    e.event_type,
    json_extract(e.actor, '$.name') AS actor,
    json_extract(e.actor, '$.actor_type') AS actor_type,
    json_extract(e.actor, '$.email') AS actor_email,
    json_extract(e.resource, '$.name') AS resource,
    json_extract(e.resource, '$.resource_type') AS resource_type,
    json_extract(e.resource, '$.email') AS resource_email,
    json_extract(e.details, '$.old_value') AS old_value,
    json_extract(e.details, '$.new_value') AS new_value,
    json_extract(e.context, '$.context_type') AS context_type,
    json_extract(e.context, '$.api_authentication_method') AS authentication,
    coalesce(json_extract(e.context, '$.oauth_app_name'), json_extract(e.context, '$.rule_name')) AS app_or_rule,
    json_extract(e.context, '$.client_ip_address') AS ip_address,
    json_extract(e.actor, '$.gid') AS actor_gid,
    json_extract(e.resource, '$.gid') AS resource_gid,
    e.workspace_gid
FROM audit_log_events AS e
WHERE e._deleted_at IS NULL AND e._synced_at IS NOT NULL;

-- Of whoever the token belongs to, in the order of Asana's sidebar.
CREATE VIEW my_favorites AS
SELECT
    (SELECT name FROM workspaces WHERE gid = f.workspace_gid) AS workspace,
    f.item_type,
    f.position,
    coalesce(p.name, o.name, t.name, g.name, m.name, (SELECT name FROM actors WHERE gid = f.item_gid)) AS name,
    f.item_gid,
    f.workspace_gid
FROM favorites AS f
LEFT JOIN projects AS p ON p.gid = f.item_gid
LEFT JOIN portfolios AS o ON o.gid = f.item_gid
LEFT JOIN tasks AS t ON t.gid = f.item_gid
LEFT JOIN tags AS g ON g.gid = f.item_gid
LEFT JOIN project_templates AS m ON m.gid = f.item_gid
WHERE coalesce(p._deleted_at, o._deleted_at, t._deleted_at, g._deleted_at, m._deleted_at) IS NULL;
