-- The record: which bytes, which code, which rows.
-- Invariant: a file version is never updated, nor deleted while a job refers to it.
-- Invariant: a job refers to exactly one file version and one plugin artifact, and at most once to the pair.
-- Invariant: for each (file version, artifact, output) at most one result is committed, and only if its ledger balances.

create function cf_refuse() returns trigger language plpgsql as $$
begin
  raise exception '% rows are immutable', tg_table_name using errcode = 'restrict_violation';
end $$;

-- Paths may be longer than an index row, so they are unique by their digest. Immutable because the database is always UTF-8.
create function cf_path_key(path text) returns bytea language sql immutable strict parallel safe
  return sha256(convert_to(path, 'UTF8'));

-- ── where files come from ────────────────────────────────────────────────────────────────────────────────────────────

create table cf_source_root (
  id bigint generated always as identity primary key,
  name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'),
  path text not null,
  settle_ms integer not null default 2000 check (settle_ms >= 0),
  include text[] not null default '{}',
  exclude text[] not null default '{}',
  state text not null default 'ACTIVE' check (state in ('ACTIVE', 'PAUSED', 'REMOVED')),
  created_at timestamptz not null default now()
);
create unique index cf_source_root_name_key on cf_source_root (name) where state <> 'REMOVED';

create table cf_file_location (
  id bigint generated always as identity primary key,
  source_id bigint not null references cf_source_root,
  rel_path text not null,
  state text not null default 'PRESENT' check (state in ('PRESENT', 'VANISHED')),
  -- The stat under which the newest version was hashed: what the next scan compares with.
  -- Inode numbers of 64 bits are stored as the signed number of the same bits.
  size_bytes bigint not null,
  mtime_ns bigint not null,
  ctime_ns bigint not null,
  inode bigint not null,
  first_seen_at timestamptz not null default now(),
  vanished_at timestamptz,
  check ((state = 'VANISHED') = (vanished_at is not null))
);
create unique index cf_file_location_path_key on cf_file_location (source_id, cf_path_key(rel_path));
-- For what lies below a folder: a range over the first characters finds it, and an index row stays short enough.
create index cf_file_location_folder on cf_file_location (source_id, left(rel_path, 200) collate "C");

create table cf_file_version (
  id bigint generated always as identity primary key,
  location_id bigint not null references cf_file_location,
  sequence integer not null check (sequence > 0),
  content_hash text not null check (content_hash ~ '^[0-9a-f]{64}$'),
  size_bytes bigint not null check (size_bytes >= 0),
  mtime_ns bigint not null,
  ctime_ns bigint not null,
  inode bigint not null,
  modified_at timestamptz not null,
  detected_at timestamptz not null default now(),
  unique (location_id, sequence)
);
create index cf_file_version_content on cf_file_version (content_hash);
create trigger cf_file_version_immutable before update on cf_file_version for each row execute function cf_refuse();

-- What still has to be planned. A row is inserted with its version and deleted by the plan step in the transaction that makes the jobs,
-- so a crash anywhere between leaves work that the next pass finds.
create table cf_outbox (
  file_version_id bigint primary key references cf_file_version on delete cascade,
  reason text not null check (reason in ('NEW', 'RETRY', 'BACKFILL')),
  requested_at timestamptz not null default now(),
  started_at timestamptz
);
create index cf_outbox_unstarted on cf_outbox (requested_at) where started_at is null;
create index cf_outbox_started on cf_outbox (started_at) where started_at is not null;

-- ── scans ────────────────────────────────────────────────────────────────────────────────────────────────────────────

create table cf_scan (
  id bigint generated always as identity primary key,
  source_id bigint not null references cf_source_root,
  state text not null default 'RUNNING' check (state in ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  files_seen bigint not null default 0,
  files_new bigint not null default 0,
  files_changed bigint not null default 0,
  files_vanished bigint not null default 0,
  files_waiting bigint not null default 0,
  message text
);
create index cf_scan_source on cf_scan (source_id, id);

-- Files that were seen to differ from the record and have not been hashed yet, with the stat last seen and since when it has not changed.
create table cf_scan_pending (
  source_id bigint not null references cf_source_root,
  rel_path text not null,
  size_bytes bigint not null,
  mtime_ns bigint not null,
  ctime_ns bigint not null,
  inode bigint not null,
  unchanged_since timestamptz not null default now()
);
create unique index cf_scan_pending_path_key on cf_scan_pending (source_id, cf_path_key(rel_path));

-- What a scan could not take, and why; a finding that is no longer true is removed by the scan that sees it mended.
create table cf_scan_finding (
  source_id bigint not null references cf_source_root,
  rel_path text not null,
  kind text not null,
  message text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now()
);
create unique index cf_scan_finding_key on cf_scan_finding (source_id, kind, cf_path_key(rel_path));

-- ── plugins ──────────────────────────────────────────────────────────────────────────────────────────────────────────

create table cf_plugin_environment (
  hash text primary key check (hash ~ '^[0-9a-f]{64}$'),
  lockfile text not null,
  python text not null,
  created_at timestamptz not null default now()
);

create table cf_plugin_manifest (
  id bigint generated always as identity primary key,
  name text not null check (name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'),
  version text not null check (version ~ '^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$'),
  artifact_hash text not null check (artifact_hash ~ '^[0-9a-f]{64}$'),
  source_code text not null,
  manifest jsonb not null,
  environment_hash text not null references cf_plugin_environment,
  state text not null check (state in ('STAGED', 'ACTIVE', 'RETIRED', 'REJECTED')),
  signature text,
  publisher text not null,
  published_at timestamptz not null default now(),
  unique (name, version)
);
create unique index cf_plugin_manifest_one_active on cf_plugin_manifest (name) where state = 'ACTIVE';

create function cf_plugin_manifest_guard() returns trigger language plpgsql as $$
begin
  if (new.name, new.version, new.artifact_hash, new.source_code, new.manifest, new.environment_hash, new.publisher, new.published_at)
    is distinct from (old.name, old.version, old.artifact_hash, old.source_code, old.manifest, old.environment_hash, old.publisher, old.published_at)
  then raise exception 'a published plugin is immutable but for its state' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger cf_plugin_manifest_immutable before update on cf_plugin_manifest for each row execute function cf_plugin_manifest_guard();

-- Where each output of a plugin goes; an output without a row goes to parquet://output/<topic>.
create table cf_topic (
  plugin_name text not null,
  output_name text not null,
  uri text not null,
  mode text not null check (mode in ('append', 'replace', 'overwrite', 'error')),
  updated_at timestamptz not null default now(),
  primary key (plugin_name, output_name)
);

create table cf_routing_rule (
  id bigint generated always as identity primary key,
  pattern text not null,
  plugin_name text not null,
  source_id bigint references cf_source_root,
  tag text,
  priority integer not null default 0,
  enabled boolean not null default true,
  origin text not null default 'OPERATOR' check (origin in ('OPERATOR', 'MANIFEST')),
  created_at timestamptz not null default now()
);
create unique index cf_routing_rule_key on cf_routing_rule (pattern, plugin_name, source_id) nulls not distinct;

-- ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

create table cf_processing_job (
  id bigint generated always as identity primary key,
  file_version_id bigint not null references cf_file_version,
  plugin_id bigint not null references cf_plugin_manifest,
  plugin_name text not null,
  state text not null default 'QUEUED'
    check (state in ('QUEUED', 'RUNNING', 'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED', 'SUPERSEDED', 'SKIPPED', 'HELD')),
  priority integer not null default 0,
  attempt integer not null default 0,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  error_code text,
  error_message text,
  error_hint text,
  unique (file_version_id, plugin_id)
);
create index cf_processing_job_state on cf_processing_job (state, id);

create function cf_job_transition() returns trigger language plpgsql as $$
begin
  if (new.file_version_id, new.plugin_id, new.plugin_name) is distinct from (old.file_version_id, old.plugin_id, old.plugin_name) then
    raise exception 'job % refers to one file version and one artifact for ever', old.id using errcode = 'restrict_violation';
  end if;
  if new.state = old.state then return new; end if;
  -- In parentheses, or the first `then` would end the condition.
  if not (case old.state
    when 'QUEUED' then new.state in ('RUNNING', 'FAILED', 'CANCELLED', 'SUPERSEDED', 'SKIPPED', 'HELD')
    when 'RUNNING' then new.state in ('QUEUED', 'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED', 'SUPERSEDED')
    when 'FAILED' then new.state = 'QUEUED'
    when 'CANCELLED' then new.state = 'QUEUED'
    when 'SUPERSEDED' then new.state = 'QUEUED'
    when 'HELD' then new.state in ('QUEUED', 'CANCELLED')
    else false
  end) then
    raise exception 'job % cannot go from % to %', old.id, old.state, new.state using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger cf_processing_job_transition before update on cf_processing_job for each row execute function cf_job_transition();

create view cf_processing_queue as
  select id, file_version_id, plugin_id, plugin_name, state as status, priority, attempt, queued_at, started_at, finished_at,
    error_code, error_message
  from cf_processing_job;

create table cf_job_attempt (
  job_id bigint not null references cf_processing_job on delete cascade,
  attempt integer not null check (attempt > 0),
  worker text not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  outcome text check (outcome in ('STAGED', 'COMMITTED', 'FAILED', 'CANCELLED', 'SUPERSEDED', 'LOST')),
  peak_memory_bytes bigint,
  error_code text,
  error_message text,
  primary key (job_id, attempt)
);

-- The ledger: one row for each output of each attempt. A result is committed only if what the plugin sent, what was written and what the
-- sink reads back agree.
create table cf_job_output (
  job_id bigint not null,
  attempt integer not null,
  output_name text not null,
  file_version_id bigint not null references cf_file_version,
  plugin_id bigint not null references cf_plugin_manifest,
  sink_uri text not null,
  mode text not null check (mode in ('append', 'replace', 'overwrite', 'error')),
  state text not null check (state in ('STAGED', 'COMMITTED', 'DISCARDED')),
  rows_sent bigint not null,
  rows_received bigint not null,
  rows_written bigint not null,
  rows_quarantined bigint not null default 0,
  rows_read_back bigint not null,
  size_bytes bigint not null default 0,
  columns jsonb not null,
  -- What the sink needs to commit or discard what it staged, in the sink's own terms.
  staged jsonb not null,
  -- Where a reader finds the rows once they are committed.
  target text not null,
  committed_at timestamptz,
  primary key (job_id, attempt, output_name),
  foreign key (job_id, attempt) references cf_job_attempt on delete cascade,
  check (state <> 'COMMITTED' or (
    committed_at is not null and rows_sent = rows_received
    and rows_received = rows_written + rows_quarantined and rows_read_back = rows_written))
);
create unique index cf_job_output_one_result on cf_job_output (file_version_id, plugin_id, output_name) where state = 'COMMITTED';

create table cf_job_log (
  job_id bigint not null,
  attempt integer not null,
  sequence integer not null,
  stream text not null check (stream in ('stdout', 'stderr', 'log', 'traceback', 'notice')),
  logged_at timestamptz not null,
  text text not null,
  primary key (job_id, attempt, sequence),
  foreign key (job_id, attempt) references cf_job_attempt on delete cascade
);

-- Rows that were set aside, with the reason.
create table cf_quarantine (
  id bigint generated always as identity primary key,
  job_id bigint not null references cf_processing_job,
  attempt integer not null,
  output_name text not null,
  row_number bigint not null,
  column_name text,
  reason text not null,
  raw jsonb not null,
  quarantined_at timestamptz not null default now()
);
create index cf_quarantine_job on cf_quarantine (job_id, attempt);

-- What the rows of an output must look like; one approved version at a time.
create table cf_contract (
  id bigint generated always as identity primary key,
  plugin_name text not null,
  output_name text not null,
  version integer not null check (version > 0),
  columns jsonb not null,
  policy text not null check (policy in ('evolve', 'freeze', 'quarantine')),
  state text not null check (state in ('PROPOSED', 'APPROVED', 'RETIRED')),
  created_at timestamptz not null default now(),
  unique (plugin_name, output_name, version)
);
create unique index cf_contract_one_approved on cf_contract (plugin_name, output_name) where state = 'APPROVED';

-- Who did what. Only ever appended to.
create table cf_audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  subject text not null,
  detail jsonb not null default '{}'
);
create trigger cf_audit_immutable before update or delete on cf_audit for each row execute function cf_refuse();
