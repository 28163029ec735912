-- Step 3: the allowance is learned and kept; what people look at first is read first; search where it is allowed.

ALTER TABLE sync_runs ADD COLUMN allowed REAL; -- requests believed to be allowed while it lasted; NULL: not paced

ALTER TABLE sync_checkpoints ADD COLUMN precedence TEXT; -- within a rank, the greatest is read first
DROP INDEX sync_checkpoints_due;
CREATE INDEX sync_checkpoints_due ON sync_checkpoints (round, rank, precedence DESC) WHERE due = 1;

-- What is believed of the allowance of each token that has written here.
CREATE TABLE sync_allowances (
    token_hash TEXT PRIMARY KEY NOT NULL, -- never the token
    per_minute REAL, -- requests; NULL: no limit was met below the one that was given
    cost_per_minute REAL, -- in records and links followed; NULL: no such limit was met
    reads_in_flight REAL NOT NULL,
    paused_until TEXT, -- Asana told to wait until then: it holds for the next run as well
    pause_s REAL, -- for how long, when it was told
    noted_at TEXT NOT NULL
) STRICT;

-- Searches that stand in for lists of single tasks, and how far they have come; also who may not search.
CREATE TABLE sync_searches (
    workspace_gid TEXT NOT NULL,
    kind TEXT NOT NULL, -- subtasks, attached, loose
    began_at TEXT, -- by Asana's clock
    mark TEXT, -- created_at up to which tasks were found
    requests INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL, -- under way, done, settled, refused, void: what it shows is not to be relied on
    status INTEGER, -- with which Asana refused it
    noted_at TEXT NOT NULL,
    PRIMARY KEY (workspace_gid, kind)
) STRICT, WITHOUT ROWID;
