-- Where a file came from when it was renamed or moved.

alter table cf_file_version
  -- The version of another location that held the same bytes and left it: a rename or a move. Decided when the version is inserted.
  add column moved_from_version_id bigint references cf_file_version check (moved_from_version_id <> id);
create index cf_file_version_moved_from on cf_file_version (moved_from_version_id) where moved_from_version_id is not null;

-- A rename keeps the inode: by it a scan of a few paths finds where a file was before.
create index cf_file_location_inode on cf_file_location (source_id, inode) where container_id is null;

-- Contents that left their location lately: a new version with the same bytes may have moved from there. Taken by the version that did.
create table cf_departure (
  location_id bigint primary key references cf_file_location,
  source_id bigint not null references cf_source_root,
  version_id bigint not null references cf_file_version on delete cascade,
  content_hash text not null,
  -- The stat that the file had there.
  inode bigint not null,
  mtime_ns bigint not null,
  -- Only a file with that inode has moved from there: another file took the place, or the inode was seen elsewhere.
  by_inode boolean not null,
  departed_at timestamptz not null default now()
);
create index cf_departure_content on cf_departure (content_hash);
create index cf_departure_time on cf_departure (departed_at);
