-- Members of archives are locations with versions of their own.
-- Invariant: a member lies in an archive of its own source, below that archive's path, for ever; an archive within an archive is not opened.
-- Invariant: a member's version names the version of the archive out of which its bytes were first read; any other version names none.

alter table cf_file_location
  -- The archive that this is a member of. A member has its own size and time; ctime and inode are its archive's.
  add column container_id bigint references cf_file_location;
create index cf_file_location_member on cf_file_location (container_id) where container_id is not null;

create function cf_member_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    raise exception 'location % stays what it is: a file, or the member of one archive', old.id using errcode = 'restrict_violation';
  end if;
  if not exists (
    select from cf_file_location archive
    where archive.id = new.container_id and archive.source_id = new.source_id and archive.container_id is null
      and starts_with(new.rel_path, archive.rel_path || '!/')) then
    raise exception '% is no member of location %', new.rel_path, new.container_id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger cf_file_location_member_inserted before insert on cf_file_location for each row
  when (new.container_id is not null) execute function cf_member_guard();
create trigger cf_file_location_member_changed before update of container_id on cf_file_location for each row
  when (new.container_id is distinct from old.container_id) execute function cf_member_guard();

alter table cf_file_version add column container_version_id bigint references cf_file_version;
create index cf_file_version_member on cf_file_version (container_version_id) where container_version_id is not null;

-- One look for each statement, because scans insert versions by the hundred.
create function cf_member_version_guard() returns trigger language plpgsql as $$
declare
  wrong bigint;
begin
  select v.id into wrong
  from inserted v
  join cf_file_location l on l.id = v.location_id
  left join cf_file_version archive on archive.id = v.container_version_id
  where l.container_id is distinct from archive.location_id limit 1;
  if wrong is not null then
    raise exception 'version % does not name the version of its archive', wrong using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger cf_file_version_member after insert on cf_file_version referencing new table as inserted
  for each statement execute function cf_member_version_guard();

-- What became of each version of an archive. A row is inserted with the version, so an archive that is recorded and not yet opened, or
-- whose opening was interrupted, is found by the next scan.
create table cf_archive (
  file_version_id bigint primary key references cf_file_version on delete cascade,
  -- REPLACED: a newer version came before this one was opened.
  state text not null default 'WAITING' check (state in ('WAITING', 'OPENED', 'REFUSED', 'REPLACED')),
  -- How many it held that were taken.
  members integer check (members >= 0),
  -- Why it was refused.
  message text,
  ended_at timestamptz,
  check ((state = 'WAITING') = (ended_at is null)),
  check ((state = 'OPENED') = (members is not null)),
  check ((state = 'REFUSED') = (message is not null))
);
create index cf_archive_waiting on cf_archive (file_version_id) where state = 'WAITING';

create function cf_archive_guard() returns trigger language plpgsql as $$
begin
  if exists (select from cf_file_version where id = new.file_version_id and container_version_id is not null) then
    raise exception 'version % is a member of an archive, which is not opened', new.file_version_id using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger cf_archive_no_member after insert on cf_archive for each row execute function cf_archive_guard();

-- Whether the archives on record have been noted in cf_archive since the setting was turned on.
alter table cf_source_root add column archives_noted boolean not null default false;

-- A finding about an archive or what is in it: it holds until that archive is opened again, or is gone.
alter table cf_scan_finding add column archive_id bigint references cf_file_location;
create index cf_scan_finding_archive on cf_scan_finding (archive_id) where archive_id is not null;
