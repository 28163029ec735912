-- The triggers that keep the full-text indexes. Dropped during a first fill, made again after one rebuild.

CREATE TRIGGER tasks_fts_insert AFTER INSERT ON tasks BEGIN
    INSERT INTO tasks_fts (rowid, name, notes) VALUES (new.rowid, new.name, new.notes);
END;
CREATE TRIGGER tasks_fts_delete AFTER DELETE ON tasks BEGIN
    INSERT INTO tasks_fts (tasks_fts, rowid, name, notes) VALUES ('delete', old.rowid, old.name, old.notes);
END;
CREATE TRIGGER tasks_fts_update AFTER UPDATE OF name, notes ON tasks
WHEN old.name IS NOT new.name OR old.notes IS NOT new.notes BEGIN
    INSERT INTO tasks_fts (tasks_fts, rowid, name, notes) VALUES ('delete', old.rowid, old.name, old.notes);
    INSERT INTO tasks_fts (rowid, name, notes) VALUES (new.rowid, new.name, new.notes);
END;

CREATE TRIGGER stories_fts_insert AFTER INSERT ON stories BEGIN
    INSERT INTO stories_fts (rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER stories_fts_delete AFTER DELETE ON stories BEGIN
    INSERT INTO stories_fts (stories_fts, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
CREATE TRIGGER stories_fts_update AFTER UPDATE OF text ON stories WHEN old.text IS NOT new.text BEGIN
    INSERT INTO stories_fts (stories_fts, rowid, text) VALUES ('delete', old.rowid, old.text);
    INSERT INTO stories_fts (rowid, text) VALUES (new.rowid, new.text);
END;

CREATE TRIGGER projects_fts_insert AFTER INSERT ON projects BEGIN
    INSERT INTO projects_fts (rowid, name, notes) VALUES (new.rowid, new.name, new.notes);
END;
CREATE TRIGGER projects_fts_delete AFTER DELETE ON projects BEGIN
    INSERT INTO projects_fts (projects_fts, rowid, name, notes) VALUES ('delete', old.rowid, old.name, old.notes);
END;
CREATE TRIGGER projects_fts_update AFTER UPDATE OF name, notes ON projects
WHEN old.name IS NOT new.name OR old.notes IS NOT new.notes BEGIN
    INSERT INTO projects_fts (projects_fts, rowid, name, notes) VALUES ('delete', old.rowid, old.name, old.notes);
    INSERT INTO projects_fts (rowid, name, notes) VALUES (new.rowid, new.name, new.notes);
END;
