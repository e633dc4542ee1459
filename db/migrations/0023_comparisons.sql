-- With what proof a version of a plugin became the active one: what it and the one before it made of the same files.

create table cf_plugin_comparison (
  id bigint generated always as identity primary key,
  plugin_name text not null,
  -- The version compared against, and the one that is to take its place. Their hashes beside them, because a proof is to be read alone.
  before_id bigint not null references cf_plugin_manifest,
  before_hash text not null,
  after_id bigint not null references cf_plugin_manifest,
  after_hash text not null,
  actor text not null,
  started_at timestamptz not null,
  ended_at timestamptz not null default now(),
  -- What was asked for: files, key, tolerance.
  request jsonb not null,
  verdict text not null check (verdict in ('SAME', 'DIFFERENT')),
  -- False where it ended at the first file that differs.
  is_complete boolean not null,
  files_compared integer not null check (files_compared > 0),
  files_different integer not null,
  files_failed integer not null,
  files_skipped integer not null,
  -- Each file with its hash, and what differs.
  result jsonb not null,
  check (before_id <> after_id),
  check ((verdict = 'SAME') = (files_different = 0)),
  check (is_complete or verdict = 'DIFFERENT'),
  unique (id, before_id, after_id)
);
create index cf_plugin_comparison_pair on cf_plugin_comparison (before_id, after_id, id);
create index cf_plugin_comparison_plugin on cf_plugin_comparison (plugin_name, id);
create trigger cf_plugin_comparison_immutable before update or delete on cf_plugin_comparison for each row execute function cf_refuse();

-- Each time that a version became the active one of its name.
create table cf_plugin_promotion (
  id bigint generated always as identity primary key,
  plugin_id bigint not null references cf_plugin_manifest,
  -- The one whose place it took; null where none was active.
  replaced_id bigint references cf_plugin_manifest,
  -- Of exactly these two.
  comparison_id bigint,
  -- Whether the actor accepted what differs.
  differences_accepted boolean not null,
  actor text not null,
  promoted_at timestamptz not null default clock_timestamp(),
  foreign key (comparison_id, replaced_id, plugin_id) references cf_plugin_comparison (id, before_id, after_id),
  check (comparison_id is null or replaced_id is not null),
  check (comparison_id is not null or not differences_accepted)
);
create index cf_plugin_promotion_plugin on cf_plugin_promotion (plugin_id, id);
create trigger cf_plugin_promotion_immutable before update or delete on cf_plugin_promotion for each row execute function cf_refuse();
