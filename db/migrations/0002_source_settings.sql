-- How each source is watched, scheduled, limited and kept.

alter table cf_source_root
  -- Which adapter watches it; scans don't depend on it.
  add column watch text not null default 'auto' check (watch in ('auto', 'chokidar', 'native', 'off')),
  -- One of the two says when the whole source is looked at; with neither it is scanned on request only.
  add column every_ms bigint default 300000 check (every_ms >= 1000),
  add column cron text,
  -- Later starts are spread over so long, so that many sources don't begin at once.
  add column jitter_ms bigint not null default 0 check (jitter_ms >= 0),
  add column size_bytes_min bigint not null default 0 check (size_bytes_min >= 0),
  add column size_bytes_max bigint check (size_bytes_max >= size_bytes_min),
  -- Files that were modified longer ago are left out.
  add column age_ms_max bigint check (age_ms_max > 0),
  -- Higher goes first among the sources' versions.
  add column priority integer not null default 0 check (priority between -1000 and 1000),
  -- The workers that can reach its folder: those that were started for this name. Any worker where it is null.
  add column worker_group text check (worker_group ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
  add column archives boolean not null default false,
  add column snapshots boolean not null default false,
  add column snapshot_age_ms_max bigint check (snapshot_age_ms_max > 0),
  add column snapshot_count_max integer check (snapshot_count_max > 0),
  add column snapshot_bytes_max bigint check (snapshot_bytes_max > 0),
  add constraint cf_source_root_schedule_check check (every_ms is null or cron is null);
