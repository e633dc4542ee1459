-- Copies of contents, so that any version can be read again.
-- Invariant: where a row says that a store has a copy, it has it: files come before rows, and rows go before files.

create table cf_snapshot (
  content_hash text not null check (content_hash ~ '^[0-9a-f]{64}$'),
  -- The folder of copies that has it, by the name that it carries in itself.
  store text not null check (store <> ''),
  size_bytes bigint not null check (size_bytes >= 0),
  stored_at timestamptz not null default now(),
  -- When no version kept it any more; it goes once no job that has not ended needs it.
  released_at timestamptz,
  primary key (content_hash, store)
);
create index cf_snapshot_released on cf_snapshot (store, released_at) where released_at is not null;

-- The versions for which a copy is kept, because their source asked for it when they were recorded. Others with the same content can read
-- the copy, and don't keep it.
create table cf_snapshot_version (
  file_version_id bigint not null references cf_file_version on delete cascade,
  store text not null,
  content_hash text not null,
  primary key (file_version_id, store),
  foreign key (content_hash, store) references cf_snapshot
);
create index cf_snapshot_version_content on cf_snapshot_version (content_hash, store);

-- True from the moment in which snapshots are switched on until a scan of the whole source has copied what was on record by then.
alter table cf_source_root add column snapshots_behind boolean not null default false;

create function cf_source_root_note_behind() returns trigger language plpgsql as $$
begin
  new.snapshots_behind := true;
  return new;
end $$;
create trigger cf_source_root_behind before update of snapshots on cf_source_root
  for each row when (new.snapshots and not old.snapshots) execute function cf_source_root_note_behind();
