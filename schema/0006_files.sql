-- Step 6: the files of attachments, kept in a folder beside the mirror.

-- What became of the file of each attachment that Asana hosts. `attachments pull` writes it; a purge erases.
CREATE TABLE attachment_files (
    attachment_gid TEXT PRIMARY KEY NOT NULL REFERENCES attachments(gid),
    sha256 TEXT, -- of the whole file, in hexadecimal digits; NULL until it is here
    size INTEGER, -- of the whole file, in bytes
    path TEXT, -- in the folder; made of sha256 alone
    downloaded_at TEXT,
    verified_at TEXT, -- when it was last read again and found undamaged
    validator TEXT, -- while only a part is here: the strong ETag of the version that it is a part of
    part_bytes INTEGER, -- … and how much of it is safely on the disk
    status INTEGER, -- of the last failure; NULL where it was no HTTP status
    message TEXT, -- why it failed last; NULL where it did not
    failed_at TEXT,
    failures INTEGER NOT NULL DEFAULT 0 -- in a row
) STRICT;

-- Where files were put, the folder last used being the one that counts. Relative to the mirror's own folder where it is below it.
CREATE TABLE attachment_folders (
    folder TEXT PRIMARY KEY NOT NULL,
    used_at TEXT NOT NULL
) STRICT;

-- Files whose rows were purged and that are still to be removed from the folders; empty but for a moment.
CREATE TABLE attachment_leftovers (
    path TEXT PRIMARY KEY NOT NULL
) STRICT;
