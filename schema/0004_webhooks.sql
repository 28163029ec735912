-- Step 4: webhooks, their deliveries, and when each stream last told of anything.

ALTER TABLE sync_checkpoints ADD COLUMN told_at TEXT; -- of a stream: when it last told of anything

-- The webhooks that this mirror has asked for, one for each project that is to be told of at once.
CREATE TABLE sync_webhooks (
    key TEXT PRIMARY KEY NOT NULL, -- the last part of its target: nobody else knows it
    project_gid TEXT NOT NULL,
    target TEXT NOT NULL,
    gid TEXT, -- Asana's; NULL until it is made
    secret TEXT, -- with which deliveries are signed; what browses the mirror is shown NULL
    state TEXT NOT NULL, -- asked, active, refused
    status INTEGER, -- with which Asana refused it
    message TEXT,
    noted_at TEXT NOT NULL, -- when its state changed
    heard_at TEXT, -- the last delivery or heartbeat that was signed rightly
    deliveries INTEGER NOT NULL DEFAULT 0 -- heartbeats included
) STRICT;
CREATE INDEX sync_webhooks_project ON sync_webhooks (project_gid);

-- Deliveries that were accepted and are not folded into sync_inbox yet.
CREATE TABLE sync_deliveries (
    id INTEGER PRIMARY KEY,
    project_gid TEXT NOT NULL,
    received_at TEXT NOT NULL,
    body TEXT NOT NULL -- as Asana sent it
) STRICT;

-- Events that a webhook told since the stream of its project was read: the stream's telling them again is no news.
CREATE TABLE sync_told (
    project_gid TEXT NOT NULL,
    event TEXT NOT NULL, -- all that tells it from others
    PRIMARY KEY (project_gid, event)
) STRICT, WITHOUT ROWID;
