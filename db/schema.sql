CREATE OR REPLACE FUNCTION public.cf_archive_guard()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from cf_file_version where id = new.file_version_id and container_version_id is not null) then
    raise exception 'version % is a member of an archive, which is not opened', new.file_version_id using errcode = 'restrict_violation';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_attempt_event()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if exists (select from cf_run_event_subscriber) then
    insert into cf_run_event_outbox (job_id, attempt, kind, occurred_at, error_code, error_message)
    select new.job_id, new.attempt, 'START', new.started_at, null, null where tg_op = 'INSERT'
    union all
    select new.job_id, new.attempt, cf_run_event_kind(new.outcome), now(), new.error_code, new.error_message where tg_op = 'UPDATE';
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_contract_guard()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.plugin_name, new.output_name, new.version, new.columns, new.policy, new.rows_max, new.share_max, new.job_id, new.author, new.created_at)
    is distinct from
    (old.plugin_name, old.output_name, old.version, old.columns, old.policy, old.rows_max, old.share_max, old.job_id, old.author, old.created_at)
  then raise exception 'a version of a contract is immutable but for its state' using errcode = 'restrict_violation';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_file_replay_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not (case old.state
    when 'RUNNING' then new.state in ('STOPPED', 'COMPLETED')
    when 'STOPPED' then new.state = 'RUNNING'
    else false
  end) then
    raise exception 'replay % cannot go from % to %', old.id, old.state, new.state using errcode = 'restrict_violation';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_job_event()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  kind text := case new.state when 'FAILED' then 'FAIL' else 'ABORT' end;
begin
  insert into cf_unbegun_run (job_id, ended_at, kind, error_code, error_message)
  values (new.id, new.finished_at, kind, new.error_code, new.error_message) on conflict do nothing;
  if exists (select from cf_run_event_subscriber) then
    insert into cf_run_event_outbox (job_id, kind, occurred_at, error_code, error_message)
    values (new.id, 'START', new.finished_at, null, null), (new.id, kind, new.finished_at, new.error_code, new.error_message);
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_job_transition()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.file_version_id, new.plugin_id, new.plugin_name, new.replay_of)
    is distinct from (old.file_version_id, old.plugin_id, old.plugin_name, old.replay_of) then
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
end $function$;

CREATE OR REPLACE FUNCTION public.cf_member_guard()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.cf_member_version_guard()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.cf_path_key(path text)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN sha256(convert_to(path, 'UTF8'::name));

CREATE OR REPLACE FUNCTION public.cf_plugin_manifest_guard()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.name, new.version, new.artifact_hash, new.source_code, new.manifest, new.environment_hash, new.publisher, new.published_at,
      new.publisher_issuer, new.publisher_subject, new.publisher_email, new.entry, new.files)
    is distinct from (old.name, old.version, old.artifact_hash, old.source_code, old.manifest, old.environment_hash, old.publisher, old.published_at,
      old.publisher_issuer, old.publisher_subject, old.publisher_email, old.entry, old.files)
  then raise exception 'a published plugin is immutable but for its state' using errcode = 'restrict_violation';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_plugin_manifest_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (case old.state
        when 'STAGED' then new.state in ('ACTIVE', 'REJECTED')
        when 'ACTIVE' then new.state in ('RETIRED', 'REJECTED')
        when 'RETIRED' then new.state in ('ACTIVE', 'REJECTED')
        else false
      end) is not true
  then raise exception 'a plugin that is % does not become %', old.state, new.state using errcode = 'restrict_violation';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_refuse()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception '% rows are immutable', tg_table_name using errcode = 'restrict_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.cf_replay_guard()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if not exists (select from cf_processing_job j where j.id = new.replay_of and j.replay_of is null and j.state = 'PARTIAL'
    and (j.file_version_id, j.plugin_id, j.plugin_name) = (new.file_version_id, new.plugin_id, new.plugin_name)) then
    raise exception 'a job replays rows of one that has set some aside, of the same file version and artifact' using errcode = 'restrict_violation';
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.cf_run_event_kind(outcome text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (outcome = 'COMMITTED'::text) THEN 'COMPLETE'::text WHEN (outcome = ANY (ARRAY['FAILED'::text, 'LOST'::text])) THEN 'FAIL'::text WHEN (outcome = ANY (ARRAY['CANCELLED'::text, 'SUPERSEDED'::text])) THEN 'ABORT'::text ELSE NULL::text END;

CREATE OR REPLACE FUNCTION public.cf_source_root_note_behind()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.snapshots_behind := true;
  return new;
end $function$;

create table cf_archive (
  file_version_id bigint not null,
  state text default 'WAITING'::text not null,
  members integer,
  message text,
  ended_at timestamp with time zone,
  constraint cf_archive_check CHECK (((state = 'WAITING'::text) = (ended_at IS NULL))),
  constraint cf_archive_check1 CHECK (((state = 'OPENED'::text) = (members IS NOT NULL))),
  constraint cf_archive_check2 CHECK (((state = 'REFUSED'::text) = (message IS NOT NULL))),
  constraint cf_archive_members_check CHECK ((members >= 0)),
  constraint cf_archive_pkey PRIMARY KEY (file_version_id),
  constraint cf_archive_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'OPENED'::text, 'REFUSED'::text, 'REPLACED'::text])))
);

create table cf_audit (
  id bigint generated always as identity not null,
  at timestamp with time zone default now() not null,
  actor text not null,
  action text not null,
  subject text not null,
  detail jsonb default '{}'::jsonb not null,
  actor_issuer text,
  actor_subject text,
  actor_email text,
  constraint cf_audit_identity CHECK ((((actor_issuer IS NULL) = (actor_subject IS NULL)) AND ((actor_email IS NULL) OR (actor_subject IS NOT NULL)))),
  constraint cf_audit_pkey PRIMARY KEY (id)
);

create table cf_contract (
  id bigint generated always as identity not null,
  plugin_name text not null,
  output_name text not null,
  version integer not null,
  columns jsonb not null,
  policy text not null,
  state text not null,
  created_at timestamp with time zone default now() not null,
  rows_max bigint,
  share_max double precision,
  job_id bigint,
  author text default 'casparian'::text not null,
  approved_at timestamp with time zone,
  retired_at timestamp with time zone,
  constraint cf_contract_pkey PRIMARY KEY (id),
  constraint cf_contract_plugin_name_output_name_version_key UNIQUE (plugin_name, output_name, version),
  constraint cf_contract_policy_check CHECK ((policy = ANY (ARRAY['evolve'::text, 'freeze'::text, 'quarantine'::text]))),
  constraint cf_contract_rows_max_check CHECK ((rows_max >= 0)),
  constraint cf_contract_share_max_check CHECK (((share_max >= (0)::double precision) AND (share_max <= (1)::double precision))),
  constraint cf_contract_state_check CHECK ((state = ANY (ARRAY['PROPOSED'::text, 'APPROVED'::text, 'RETIRED'::text]))),
  constraint cf_contract_times_check CHECK ((((state <> 'PROPOSED'::text) OR ((approved_at IS NULL) AND (retired_at IS NULL))) AND ((state <> 'APPROVED'::text) OR ((approved_at IS NOT NULL) AND (retired_at IS NULL))) AND ((state <> 'RETIRED'::text) OR (retired_at IS NOT NULL)))),
  constraint cf_contract_version_check CHECK ((version > 0))
);

create table cf_contract_drift (
  id bigint generated always as identity not null,
  job_id bigint not null,
  attempt integer not null,
  output_name text not null,
  contract_id bigint not null,
  changes jsonb not null,
  given_columns jsonb not null,
  refused boolean not null,
  seen_at timestamp with time zone default now() not null,
  constraint cf_contract_drift_pkey PRIMARY KEY (id)
);

create table cf_departure (
  location_id bigint not null,
  source_id bigint not null,
  version_id bigint not null,
  content_hash text not null,
  inode bigint not null,
  mtime_ns bigint not null,
  by_inode boolean not null,
  departed_at timestamp with time zone default now() not null,
  constraint cf_departure_pkey PRIMARY KEY (location_id)
);

create table cf_file_location (
  id bigint generated always as identity not null,
  source_id bigint not null,
  rel_path text not null,
  state text default 'PRESENT'::text not null,
  size_bytes bigint not null,
  mtime_ns bigint not null,
  ctime_ns bigint not null,
  inode bigint not null,
  first_seen_at timestamp with time zone default now() not null,
  vanished_at timestamp with time zone,
  container_id bigint,
  constraint cf_file_location_check CHECK (((state = 'VANISHED'::text) = (vanished_at IS NOT NULL))),
  constraint cf_file_location_pkey PRIMARY KEY (id),
  constraint cf_file_location_state_check CHECK ((state = ANY (ARRAY['PRESENT'::text, 'VANISHED'::text])))
);

create table cf_file_replay (
  id bigint generated always as identity not null,
  plugin_id bigint not null,
  plugin_name text not null,
  pattern text,
  source_id bigint,
  since timestamp with time zone,
  all_versions boolean not null,
  versions_max integer,
  at_once integer not null,
  until_version bigint not null,
  expected integer not null,
  actor text not null,
  requested_at timestamp with time zone default now() not null,
  state text default 'RUNNING'::text not null,
  reason text,
  ended_at timestamp with time zone,
  location_at bigint default 0 not null,
  version_at bigint default 0 not null,
  handed_out integer default 0 not null,
  skipped integer default 0 not null,
  constraint cf_file_replay_at_once_check CHECK (((at_once >= 1) AND (at_once <= 1000))),
  constraint cf_file_replay_check CHECK (((state = 'RUNNING'::text) = (ended_at IS NULL))),
  constraint cf_file_replay_check1 CHECK (((reason IS NULL) OR (state = 'STOPPED'::text))),
  constraint cf_file_replay_pkey PRIMARY KEY (id),
  constraint cf_file_replay_state_check CHECK ((state = ANY (ARRAY['RUNNING'::text, 'STOPPED'::text, 'COMPLETED'::text]))),
  constraint cf_file_replay_versions_max_check CHECK ((versions_max > 0))
);

create table cf_file_replay_job (
  replay_id bigint not null,
  job_id bigint not null,
  state text default 'OPEN'::text not null,
  is_own boolean not null,
  constraint cf_file_replay_job_check CHECK ((is_own OR (state <> 'WITHDRAWN'::text))),
  constraint cf_file_replay_job_pkey PRIMARY KEY (replay_id, job_id),
  constraint cf_file_replay_job_state_check CHECK ((state = ANY (ARRAY['OPEN'::text, 'WITHDRAWN'::text, 'COMPLETED'::text, 'PARTIAL'::text, 'FAILED'::text, 'CANCELLED'::text, 'SUPERSEDED'::text, 'SKIPPED'::text])))
);

create table cf_file_version (
  id bigint generated always as identity not null,
  location_id bigint not null,
  sequence integer not null,
  content_hash text not null,
  size_bytes bigint not null,
  mtime_ns bigint not null,
  ctime_ns bigint not null,
  inode bigint not null,
  modified_at timestamp with time zone not null,
  detected_at timestamp with time zone default now() not null,
  container_version_id bigint,
  moved_from_version_id bigint,
  constraint cf_file_version_check CHECK ((moved_from_version_id <> id)),
  constraint cf_file_version_content_hash_check CHECK ((content_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint cf_file_version_location_id_sequence_key UNIQUE (location_id, sequence),
  constraint cf_file_version_pkey PRIMARY KEY (id),
  constraint cf_file_version_sequence_check CHECK ((sequence > 0)),
  constraint cf_file_version_size_bytes_check CHECK ((size_bytes >= 0))
);

create table cf_gatekeeper_report (
  plugin_id bigint not null,
  examined_at timestamp with time zone default now() not null,
  findings jsonb not null,
  unchecked jsonb not null,
  constraint cf_gatekeeper_report_findings_check CHECK ((jsonb_typeof(findings) = 'array'::text)),
  constraint cf_gatekeeper_report_pkey PRIMARY KEY (plugin_id),
  constraint cf_gatekeeper_report_unchecked_check CHECK ((jsonb_typeof(unchecked) = 'array'::text))
);

create table cf_job_attempt (
  job_id bigint not null,
  attempt integer not null,
  worker text not null,
  started_at timestamp with time zone default now() not null,
  finished_at timestamp with time zone,
  outcome text,
  peak_memory_bytes bigint,
  error_code text,
  error_message text,
  constraint cf_job_attempt_attempt_check CHECK ((attempt > 0)),
  constraint cf_job_attempt_outcome_check CHECK ((outcome = ANY (ARRAY['STAGED'::text, 'COMMITTED'::text, 'FAILED'::text, 'CANCELLED'::text, 'SUPERSEDED'::text, 'LOST'::text]))),
  constraint cf_job_attempt_pkey PRIMARY KEY (job_id, attempt)
);

create table cf_job_log (
  job_id bigint not null,
  attempt integer not null,
  sequence integer not null,
  stream text not null,
  logged_at timestamp with time zone not null,
  text text not null,
  constraint cf_job_log_pkey PRIMARY KEY (job_id, attempt, sequence),
  constraint cf_job_log_stream_check CHECK ((stream = ANY (ARRAY['stdout'::text, 'stderr'::text, 'log'::text, 'traceback'::text, 'notice'::text])))
);

create table cf_job_output (
  job_id bigint not null,
  attempt integer not null,
  output_name text not null,
  file_version_id bigint not null,
  plugin_id bigint not null,
  sink_uri text not null,
  mode text not null,
  state text not null,
  rows_sent bigint not null,
  rows_received bigint not null,
  rows_written bigint not null,
  rows_quarantined bigint default 0 not null,
  rows_read_back bigint not null,
  size_bytes bigint default 0 not null,
  columns jsonb not null,
  staged jsonb not null,
  target text not null,
  committed_at timestamp with time zone,
  replaced_at timestamp with time zone,
  replaced_by bigint,
  contract_id bigint,
  given_columns jsonb,
  next_columns jsonb,
  replay_of bigint,
  constraint cf_job_output_check CHECK (((state <> 'COMMITTED'::text) OR ((committed_at IS NOT NULL) AND (rows_sent = rows_received) AND (rows_received = (rows_written + rows_quarantined)) AND (rows_read_back = rows_written)))),
  constraint cf_job_output_mode_check CHECK ((mode = ANY (ARRAY['append'::text, 'replace'::text, 'overwrite'::text, 'error'::text]))),
  constraint cf_job_output_pkey PRIMARY KEY (job_id, attempt, output_name),
  constraint cf_job_output_replaced_check CHECK ((((replaced_at IS NULL) = (replaced_by IS NULL)) AND ((replaced_at IS NULL) OR ((state = 'COMMITTED'::text) AND (replaced_at >= committed_at))))),
  constraint cf_job_output_state_check CHECK ((state = ANY (ARRAY['STAGED'::text, 'COMMITTED'::text, 'DISCARDED'::text])))
);

create table cf_outbox (
  file_version_id bigint not null,
  reason text not null,
  requested_at timestamp with time zone default now() not null,
  started_at timestamp with time zone,
  priority integer not null,
  worker_group text not null,
  constraint cf_outbox_pkey PRIMARY KEY (file_version_id),
  constraint cf_outbox_reason_check CHECK ((reason = ANY (ARRAY['NEW'::text, 'RETRY'::text, 'BACKFILL'::text, 'REPLAY'::text])))
);

create table cf_plugin_comparison (
  id bigint generated always as identity not null,
  plugin_name text not null,
  before_id bigint not null,
  before_hash text not null,
  after_id bigint not null,
  after_hash text not null,
  actor text not null,
  started_at timestamp with time zone not null,
  ended_at timestamp with time zone default now() not null,
  request jsonb not null,
  verdict text not null,
  is_complete boolean not null,
  files_compared integer not null,
  files_different integer not null,
  files_failed integer not null,
  files_skipped integer not null,
  result jsonb not null,
  constraint cf_plugin_comparison_check CHECK ((before_id <> after_id)),
  constraint cf_plugin_comparison_check1 CHECK (((verdict = 'SAME'::text) = (files_different = 0))),
  constraint cf_plugin_comparison_check2 CHECK ((is_complete OR (verdict = 'DIFFERENT'::text))),
  constraint cf_plugin_comparison_files_compared_check CHECK ((files_compared > 0)),
  constraint cf_plugin_comparison_id_before_id_after_id_key UNIQUE (id, before_id, after_id),
  constraint cf_plugin_comparison_pkey PRIMARY KEY (id),
  constraint cf_plugin_comparison_verdict_check CHECK ((verdict = ANY (ARRAY['SAME'::text, 'DIFFERENT'::text])))
);

create table cf_plugin_environment (
  hash text not null,
  lockfile text not null,
  python text not null,
  created_at timestamp with time zone default now() not null,
  constraint cf_plugin_environment_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text)),
  constraint cf_plugin_environment_pkey PRIMARY KEY (hash)
);

create table cf_plugin_grant (
  plugin_name text not null,
  kind text not null,
  target text not null,
  granted_at timestamp with time zone default now() not null,
  granted_by text not null,
  constraint cf_plugin_grant_kind_check CHECK ((kind = ANY (ARRAY['READ'::text, 'HOST'::text]))),
  constraint cf_plugin_grant_pkey PRIMARY KEY (plugin_name, kind, target),
  constraint cf_plugin_grant_target_check CHECK (((length(target) >= 1) AND (length(target) <= 4096)))
);

create table cf_plugin_manifest (
  id bigint generated always as identity not null,
  name text not null,
  version text not null,
  artifact_hash text not null,
  source_code text not null,
  manifest jsonb not null,
  environment_hash text not null,
  state text not null,
  signature text,
  publisher text not null,
  published_at timestamp with time zone default now() not null,
  activated_at timestamp with time zone,
  rejected_reason text,
  publisher_issuer text,
  publisher_subject text,
  publisher_email text,
  entry text,
  files jsonb,
  constraint cf_plugin_manifest_activated CHECK (((state <> ALL (ARRAY['ACTIVE'::text, 'RETIRED'::text])) OR (activated_at IS NOT NULL))),
  constraint cf_plugin_manifest_artifact_hash_check CHECK ((artifact_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint cf_plugin_manifest_entry_check CHECK ((entry ~ '^[^/\\].*\.py$'::text)),
  constraint cf_plugin_manifest_files_check CHECK ((jsonb_typeof(files) = 'object'::text)),
  constraint cf_plugin_manifest_folder CHECK (((entry IS NULL) = (files IS NULL))),
  constraint cf_plugin_manifest_identity CHECK ((((publisher_issuer IS NULL) = (publisher_subject IS NULL)) AND ((publisher_email IS NULL) OR (publisher_subject IS NOT NULL)))),
  constraint cf_plugin_manifest_name_check CHECK ((name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'::text)),
  constraint cf_plugin_manifest_name_version_key UNIQUE (name, version),
  constraint cf_plugin_manifest_pkey PRIMARY KEY (id),
  constraint cf_plugin_manifest_rejected CHECK (((state = 'REJECTED'::text) = (rejected_reason IS NOT NULL))),
  constraint cf_plugin_manifest_rejected_reason_check CHECK (((length(rejected_reason) >= 1) AND (length(rejected_reason) <= 2000))),
  constraint cf_plugin_manifest_state_check CHECK ((state = ANY (ARRAY['STAGED'::text, 'ACTIVE'::text, 'RETIRED'::text, 'REJECTED'::text]))),
  constraint cf_plugin_manifest_version_check CHECK ((version ~ '^[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}$'::text))
);

create table cf_plugin_promotion (
  id bigint generated always as identity not null,
  plugin_id bigint not null,
  replaced_id bigint,
  comparison_id bigint,
  differences_accepted boolean not null,
  actor text not null,
  promoted_at timestamp with time zone default clock_timestamp() not null,
  constraint cf_plugin_promotion_check CHECK (((comparison_id IS NULL) OR (replaced_id IS NOT NULL))),
  constraint cf_plugin_promotion_check1 CHECK (((comparison_id IS NOT NULL) OR (NOT differences_accepted))),
  constraint cf_plugin_promotion_pkey PRIMARY KEY (id)
);

create table cf_plugin_runner (
  plugin_name text not null,
  runner text not null,
  constraint cf_plugin_runner_pkey PRIMARY KEY (plugin_name),
  constraint cf_plugin_runner_plugin_name_check CHECK ((plugin_name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'::text)),
  constraint cf_plugin_runner_runner_check CHECK ((runner ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'::text))
);

create table cf_processing_job (
  id bigint generated always as identity not null,
  file_version_id bigint not null,
  plugin_id bigint not null,
  plugin_name text not null,
  state text default 'QUEUED'::text not null,
  priority integer default 0 not null,
  attempt integer default 0 not null,
  queued_at timestamp with time zone default now() not null,
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  error_code text,
  error_message text,
  error_hint text,
  replay_of bigint,
  constraint cf_processing_job_pkey PRIMARY KEY (id),
  constraint cf_processing_job_state_check CHECK ((state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'COMPLETED'::text, 'PARTIAL'::text, 'FAILED'::text, 'CANCELLED'::text, 'SUPERSEDED'::text, 'SKIPPED'::text, 'HELD'::text])))
);

create table cf_quarantine (
  id bigint generated always as identity not null,
  job_id bigint not null,
  attempt integer not null,
  output_name text not null,
  row_number bigint not null,
  raw json not null,
  quarantined_at timestamp with time zone default now() not null,
  file_version_id bigint not null,
  plugin_id bigint not null,
  origin text not null,
  reasons jsonb not null,
  file_position text,
  state text default 'STAGED'::text not null,
  piece integer,
  constraint cf_quarantine_check CHECK (((piece > 0) AND ((origin = 'CONTRACT'::text) OR (piece IS NULL)))),
  constraint cf_quarantine_origin_check CHECK ((origin = ANY (ARRAY['CONTRACT'::text, 'PLUGIN'::text]))),
  constraint cf_quarantine_pkey PRIMARY KEY (id),
  constraint cf_quarantine_reasons_check CHECK ((jsonb_array_length(reasons) > 0)),
  constraint cf_quarantine_row_number_check CHECK ((row_number > 0)),
  constraint cf_quarantine_state_check CHECK ((state = ANY (ARRAY['STAGED'::text, 'QUARANTINED'::text])))
);

create table cf_quarantine_piece (
  job_id bigint not null,
  attempt integer not null,
  output_name text not null,
  piece integer not null,
  arrow bytea not null,
  constraint cf_quarantine_piece_piece_check CHECK ((piece >= 0)),
  constraint cf_quarantine_piece_pkey PRIMARY KEY (job_id, attempt, output_name, piece)
);

create table cf_record (
  id uuid default gen_random_uuid() not null,
  single boolean default true not null,
  constraint cf_record_pkey PRIMARY KEY (single),
  constraint cf_record_single_check CHECK (single)
);

create table cf_replayed_row (
  job_id bigint not null,
  attempt integer not null,
  row_id bigint not null,
  reasons jsonb,
  state text default 'STAGED'::text not null,
  constraint cf_replayed_row_pkey PRIMARY KEY (job_id, attempt, row_id),
  constraint cf_replayed_row_reasons_check CHECK ((jsonb_array_length(reasons) > 0)),
  constraint cf_replayed_row_state_check CHECK ((state = ANY (ARRAY['STAGED'::text, 'COMMITTED'::text])))
);

create table cf_routing_rule (
  id bigint generated always as identity not null,
  pattern text not null,
  plugin_name text,
  source_id bigint,
  tag text,
  priority integer default 0 not null,
  enabled boolean default true not null,
  origin text default 'OPERATOR'::text not null,
  created_at timestamp with time zone default now() not null,
  tagged text,
  constraint cf_routing_rule_does_something CHECK (((plugin_name IS NOT NULL) OR (COALESCE(tag, ''::text) <> ''::text))),
  constraint cf_routing_rule_origin_check CHECK ((origin = ANY (ARRAY['OPERATOR'::text, 'MANIFEST'::text]))),
  constraint cf_routing_rule_pkey PRIMARY KEY (id),
  constraint cf_routing_rule_tagged_check CHECK ((tagged <> ''::text)),
  constraint cf_routing_rule_two_steps CHECK (((tagged IS NULL) OR ((plugin_name IS NOT NULL) AND (tag IS NULL))))
);

create table cf_run_event_delivery (
  single boolean default true not null,
  sent bigint default 0 not null,
  last_sent_at timestamp with time zone,
  failures integer default 0 not null,
  failing_since timestamp with time zone,
  error text,
  retry_at timestamp with time zone,
  constraint cf_run_event_delivery_check CHECK ((((failures = 0) = (error IS NULL)) AND ((error IS NULL) = (failing_since IS NULL)))),
  constraint cf_run_event_delivery_failures_check CHECK ((failures >= 0)),
  constraint cf_run_event_delivery_pkey PRIMARY KEY (single),
  constraint cf_run_event_delivery_single_check CHECK (single)
);

create table cf_run_event_outbox (
  id bigint generated always as identity not null,
  job_id bigint not null,
  attempt integer,
  kind text not null,
  occurred_at timestamp with time zone not null,
  error_code text,
  error_message text,
  tries integer default 0 not null,
  refused_at timestamp with time zone,
  refusal text,
  constraint cf_run_event_outbox_check CHECK (((refused_at IS NULL) = (refusal IS NULL))),
  constraint cf_run_event_outbox_kind_check CHECK ((kind = ANY (ARRAY['START'::text, 'COMPLETE'::text, 'FAIL'::text, 'ABORT'::text]))),
  constraint cf_run_event_outbox_pkey PRIMARY KEY (id)
);

create table cf_run_event_subscriber (
  home text not null,
  destination text not null,
  seen_at timestamp with time zone default now() not null,
  constraint cf_run_event_subscriber_pkey PRIMARY KEY (home)
);

create table cf_scan (
  id bigint generated always as identity not null,
  source_id bigint not null,
  state text default 'RUNNING'::text not null,
  started_at timestamp with time zone default now() not null,
  finished_at timestamp with time zone,
  files_seen bigint default 0 not null,
  files_new bigint default 0 not null,
  files_changed bigint default 0 not null,
  files_vanished bigint default 0 not null,
  files_waiting bigint default 0 not null,
  message text,
  files_left_out bigint default 0 not null,
  constraint cf_scan_pkey PRIMARY KEY (id),
  constraint cf_scan_state_check CHECK ((state = ANY (ARRAY['RUNNING'::text, 'COMPLETED'::text, 'FAILED'::text, 'CANCELLED'::text])))
);

create table cf_scan_finding (
  source_id bigint not null,
  rel_path text not null,
  kind text not null,
  message text not null,
  first_seen_at timestamp with time zone default now() not null,
  last_seen_at timestamp with time zone default now() not null,
  archive_id bigint
);

create table cf_scan_pending (
  source_id bigint not null,
  rel_path text not null,
  size_bytes bigint not null,
  mtime_ns bigint not null,
  ctime_ns bigint not null,
  inode bigint not null,
  unchanged_since timestamp with time zone default now() not null
);

create table cf_schema_migration (
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone default now() not null,
  constraint cf_schema_migration_pkey PRIMARY KEY (name)
);

create table cf_snapshot (
  content_hash text not null,
  store text not null,
  size_bytes bigint not null,
  stored_at timestamp with time zone default now() not null,
  released_at timestamp with time zone,
  constraint cf_snapshot_content_hash_check CHECK ((content_hash ~ '^[0-9a-f]{64}$'::text)),
  constraint cf_snapshot_pkey PRIMARY KEY (content_hash, store),
  constraint cf_snapshot_size_bytes_check CHECK ((size_bytes >= 0)),
  constraint cf_snapshot_store_check CHECK ((store <> ''::text))
);

create table cf_snapshot_version (
  file_version_id bigint not null,
  store text not null,
  content_hash text not null,
  constraint cf_snapshot_version_pkey PRIMARY KEY (file_version_id, store)
);

create table cf_source_root (
  id bigint generated always as identity not null,
  name text not null,
  path text not null,
  settle_ms integer default 2000 not null,
  include text[] default '{}'::text[] not null,
  exclude text[] default '{}'::text[] not null,
  state text default 'ACTIVE'::text not null,
  created_at timestamp with time zone default now() not null,
  watch text default 'auto'::text not null,
  every_ms bigint default 300000,
  cron text,
  jitter_ms bigint default 0 not null,
  size_bytes_min bigint default 0 not null,
  size_bytes_max bigint,
  age_ms_max bigint,
  priority integer default 0 not null,
  worker_group text,
  archives boolean default false not null,
  snapshots boolean default false not null,
  snapshot_age_ms_max bigint,
  snapshot_count_max integer,
  snapshot_bytes_max bigint,
  archives_noted boolean default false not null,
  snapshots_behind boolean default false not null,
  constraint cf_source_root_age_ms_max_check CHECK ((age_ms_max > 0)),
  constraint cf_source_root_check CHECK ((size_bytes_max >= size_bytes_min)),
  constraint cf_source_root_every_ms_check CHECK ((every_ms >= 1000)),
  constraint cf_source_root_jitter_ms_check CHECK ((jitter_ms >= 0)),
  constraint cf_source_root_name_check CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'::text)),
  constraint cf_source_root_pkey PRIMARY KEY (id),
  constraint cf_source_root_priority_check CHECK (((priority >= '-1000'::integer) AND (priority <= 1000))),
  constraint cf_source_root_schedule_check CHECK (((every_ms IS NULL) OR (cron IS NULL))),
  constraint cf_source_root_settle_ms_check CHECK ((settle_ms >= 0)),
  constraint cf_source_root_size_bytes_min_check CHECK ((size_bytes_min >= 0)),
  constraint cf_source_root_snapshot_age_ms_max_check CHECK ((snapshot_age_ms_max > 0)),
  constraint cf_source_root_snapshot_bytes_max_check CHECK ((snapshot_bytes_max > 0)),
  constraint cf_source_root_snapshot_count_max_check CHECK ((snapshot_count_max > 0)),
  constraint cf_source_root_state_check CHECK ((state = ANY (ARRAY['ACTIVE'::text, 'PAUSED'::text, 'REMOVED'::text]))),
  constraint cf_source_root_watch_check CHECK ((watch = ANY (ARRAY['auto'::text, 'chokidar'::text, 'native'::text, 'off'::text]))),
  constraint cf_source_root_worker_group_check CHECK ((worker_group ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$'::text))
);

create table cf_topic (
  plugin_name text not null,
  output_name text not null,
  uri text not null,
  mode text not null,
  updated_at timestamp with time zone default now() not null,
  constraint cf_topic_mode_check CHECK ((mode = ANY (ARRAY['append'::text, 'replace'::text, 'overwrite'::text, 'error'::text]))),
  constraint cf_topic_pkey PRIMARY KEY (plugin_name, output_name)
);

create table cf_unbegun_run (
  job_id bigint not null,
  ended_at timestamp with time zone not null,
  kind text not null,
  error_code text,
  error_message text,
  constraint cf_unbegun_run_kind_check CHECK ((kind = ANY (ARRAY['FAIL'::text, 'ABORT'::text]))),
  constraint cf_unbegun_run_pkey PRIMARY KEY (job_id, ended_at)
);

alter table cf_archive add constraint cf_archive_file_version_id_fkey FOREIGN KEY (file_version_id) REFERENCES cf_file_version(id) ON DELETE CASCADE;

alter table cf_contract add constraint cf_contract_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id);

alter table cf_contract_drift add constraint cf_contract_drift_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES cf_contract(id);

alter table cf_contract_drift add constraint cf_contract_drift_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id);

alter table cf_departure add constraint cf_departure_location_id_fkey FOREIGN KEY (location_id) REFERENCES cf_file_location(id);

alter table cf_departure add constraint cf_departure_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_departure add constraint cf_departure_version_id_fkey FOREIGN KEY (version_id) REFERENCES cf_file_version(id) ON DELETE CASCADE;

alter table cf_file_location add constraint cf_file_location_container_id_fkey FOREIGN KEY (container_id) REFERENCES cf_file_location(id);

alter table cf_file_location add constraint cf_file_location_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_file_replay add constraint cf_file_replay_plugin_id_fkey FOREIGN KEY (plugin_id) REFERENCES cf_plugin_manifest(id);

alter table cf_file_replay add constraint cf_file_replay_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_file_replay_job add constraint cf_file_replay_job_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id);

alter table cf_file_replay_job add constraint cf_file_replay_job_replay_id_fkey FOREIGN KEY (replay_id) REFERENCES cf_file_replay(id) ON DELETE CASCADE;

alter table cf_file_version add constraint cf_file_version_container_version_id_fkey FOREIGN KEY (container_version_id) REFERENCES cf_file_version(id);

alter table cf_file_version add constraint cf_file_version_location_id_fkey FOREIGN KEY (location_id) REFERENCES cf_file_location(id);

alter table cf_file_version add constraint cf_file_version_moved_from_version_id_fkey FOREIGN KEY (moved_from_version_id) REFERENCES cf_file_version(id);

alter table cf_gatekeeper_report add constraint cf_gatekeeper_report_plugin_id_fkey FOREIGN KEY (plugin_id) REFERENCES cf_plugin_manifest(id);

alter table cf_job_attempt add constraint cf_job_attempt_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id) ON DELETE CASCADE;

alter table cf_job_log add constraint cf_job_log_job_id_attempt_fkey FOREIGN KEY (job_id, attempt) REFERENCES cf_job_attempt(job_id, attempt) ON DELETE CASCADE;

alter table cf_job_output add constraint cf_job_output_contract_id_fkey FOREIGN KEY (contract_id) REFERENCES cf_contract(id);

alter table cf_job_output add constraint cf_job_output_file_version_id_fkey FOREIGN KEY (file_version_id) REFERENCES cf_file_version(id);

alter table cf_job_output add constraint cf_job_output_job_id_attempt_fkey FOREIGN KEY (job_id, attempt) REFERENCES cf_job_attempt(job_id, attempt) ON DELETE CASCADE;

alter table cf_job_output add constraint cf_job_output_plugin_id_fkey FOREIGN KEY (plugin_id) REFERENCES cf_plugin_manifest(id);

alter table cf_job_output add constraint cf_job_output_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES cf_processing_job(id);

alter table cf_job_output add constraint cf_job_output_replay_of_fkey FOREIGN KEY (replay_of) REFERENCES cf_processing_job(id);

alter table cf_outbox add constraint cf_outbox_file_version_id_fkey FOREIGN KEY (file_version_id) REFERENCES cf_file_version(id) ON DELETE CASCADE;

alter table cf_plugin_comparison add constraint cf_plugin_comparison_after_id_fkey FOREIGN KEY (after_id) REFERENCES cf_plugin_manifest(id);

alter table cf_plugin_comparison add constraint cf_plugin_comparison_before_id_fkey FOREIGN KEY (before_id) REFERENCES cf_plugin_manifest(id);

alter table cf_plugin_manifest add constraint cf_plugin_manifest_environment_hash_fkey FOREIGN KEY (environment_hash) REFERENCES cf_plugin_environment(hash);

alter table cf_plugin_promotion add constraint cf_plugin_promotion_comparison_id_replaced_id_plugin_id_fkey FOREIGN KEY (comparison_id, replaced_id, plugin_id) REFERENCES cf_plugin_comparison(id, before_id, after_id);

alter table cf_plugin_promotion add constraint cf_plugin_promotion_plugin_id_fkey FOREIGN KEY (plugin_id) REFERENCES cf_plugin_manifest(id);

alter table cf_plugin_promotion add constraint cf_plugin_promotion_replaced_id_fkey FOREIGN KEY (replaced_id) REFERENCES cf_plugin_manifest(id);

alter table cf_processing_job add constraint cf_processing_job_file_version_id_fkey FOREIGN KEY (file_version_id) REFERENCES cf_file_version(id);

alter table cf_processing_job add constraint cf_processing_job_plugin_id_fkey FOREIGN KEY (plugin_id) REFERENCES cf_plugin_manifest(id);

alter table cf_processing_job add constraint cf_processing_job_replay_of_fkey FOREIGN KEY (replay_of) REFERENCES cf_processing_job(id);

alter table cf_quarantine add constraint cf_quarantine_file_version_id_fkey FOREIGN KEY (file_version_id) REFERENCES cf_file_version(id);

alter table cf_quarantine add constraint cf_quarantine_job_id_attempt_output_name_fkey FOREIGN KEY (job_id, attempt, output_name) REFERENCES cf_job_output(job_id, attempt, output_name) ON DELETE CASCADE;

alter table cf_quarantine add constraint cf_quarantine_job_id_attempt_output_name_piece_fkey FOREIGN KEY (job_id, attempt, output_name, piece) REFERENCES cf_quarantine_piece(job_id, attempt, output_name, piece);

alter table cf_quarantine add constraint cf_quarantine_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id);

alter table cf_quarantine add constraint cf_quarantine_plugin_id_fkey FOREIGN KEY (plugin_id) REFERENCES cf_plugin_manifest(id);

alter table cf_quarantine_piece add constraint cf_quarantine_piece_job_id_attempt_output_name_fkey FOREIGN KEY (job_id, attempt, output_name) REFERENCES cf_job_output(job_id, attempt, output_name) ON DELETE CASCADE;

alter table cf_replayed_row add constraint cf_replayed_row_job_id_attempt_fkey FOREIGN KEY (job_id, attempt) REFERENCES cf_job_attempt(job_id, attempt) ON DELETE CASCADE;

alter table cf_replayed_row add constraint cf_replayed_row_row_id_fkey FOREIGN KEY (row_id) REFERENCES cf_quarantine(id);

alter table cf_routing_rule add constraint cf_routing_rule_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_run_event_outbox add constraint cf_run_event_outbox_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id) ON DELETE CASCADE;

alter table cf_scan add constraint cf_scan_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_scan_finding add constraint cf_scan_finding_archive_id_fkey FOREIGN KEY (archive_id) REFERENCES cf_file_location(id);

alter table cf_scan_finding add constraint cf_scan_finding_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_scan_pending add constraint cf_scan_pending_source_id_fkey FOREIGN KEY (source_id) REFERENCES cf_source_root(id);

alter table cf_snapshot_version add constraint cf_snapshot_version_content_hash_store_fkey FOREIGN KEY (content_hash, store) REFERENCES cf_snapshot(content_hash, store);

alter table cf_snapshot_version add constraint cf_snapshot_version_file_version_id_fkey FOREIGN KEY (file_version_id) REFERENCES cf_file_version(id) ON DELETE CASCADE;

alter table cf_unbegun_run add constraint cf_unbegun_run_job_id_fkey FOREIGN KEY (job_id) REFERENCES cf_processing_job(id) ON DELETE CASCADE;

CREATE INDEX cf_archive_waiting ON public.cf_archive USING btree (file_version_id) WHERE (state = 'WAITING'::text);

CREATE INDEX cf_contract_drift_contract ON public.cf_contract_drift USING btree (contract_id, id);

CREATE UNIQUE INDEX cf_contract_one_approved ON public.cf_contract USING btree (plugin_name, output_name) WHERE (state = 'APPROVED'::text);

CREATE INDEX cf_departure_content ON public.cf_departure USING btree (content_hash);

CREATE INDEX cf_departure_time ON public.cf_departure USING btree (departed_at);

CREATE INDEX cf_file_location_folder ON public.cf_file_location USING btree (source_id, "left"(rel_path, 200) COLLATE "C");

CREATE INDEX cf_file_location_inode ON public.cf_file_location USING btree (source_id, inode) WHERE (container_id IS NULL);

CREATE INDEX cf_file_location_member ON public.cf_file_location USING btree (container_id) WHERE (container_id IS NOT NULL);

CREATE UNIQUE INDEX cf_file_location_path_key ON public.cf_file_location USING btree (source_id, cf_path_key(rel_path));

CREATE INDEX cf_file_replay_job_state ON public.cf_file_replay_job USING btree (replay_id, state);

CREATE INDEX cf_file_replay_running ON public.cf_file_replay USING btree (id) WHERE (state = 'RUNNING'::text);

CREATE INDEX cf_file_version_content ON public.cf_file_version USING btree (content_hash);

CREATE INDEX cf_file_version_member ON public.cf_file_version USING btree (container_version_id) WHERE (container_version_id IS NOT NULL);

CREATE INDEX cf_file_version_moved_from ON public.cf_file_version USING btree (moved_from_version_id) WHERE (moved_from_version_id IS NOT NULL);

CREATE INDEX cf_job_output_current ON public.cf_job_output USING btree (sink_uri) WHERE ((state = 'COMMITTED'::text) AND (replaced_at IS NULL));

CREATE UNIQUE INDEX cf_job_output_one_joining ON public.cf_job_output USING btree (job_id, output_name) WHERE ((state = 'COMMITTED'::text) AND (replay_of IS NOT NULL));

CREATE UNIQUE INDEX cf_job_output_one_result ON public.cf_job_output USING btree (file_version_id, plugin_id, output_name) WHERE ((state = 'COMMITTED'::text) AND (replay_of IS NULL));

CREATE INDEX cf_outbox_started ON public.cf_outbox USING btree (worker_group, started_at) WHERE (started_at IS NOT NULL);

CREATE INDEX cf_outbox_unstarted ON public.cf_outbox USING btree (worker_group, priority DESC, ((reason = ANY (ARRAY['BACKFILL'::text, 'REPLAY'::text]))), requested_at) WHERE (started_at IS NULL);

CREATE INDEX cf_plugin_comparison_pair ON public.cf_plugin_comparison USING btree (before_id, after_id, id);

CREATE INDEX cf_plugin_comparison_plugin ON public.cf_plugin_comparison USING btree (plugin_name, id);

CREATE UNIQUE INDEX cf_plugin_manifest_one_active ON public.cf_plugin_manifest USING btree (name) WHERE (state = 'ACTIVE'::text);

CREATE INDEX cf_plugin_promotion_plugin ON public.cf_plugin_promotion USING btree (plugin_id, id);

CREATE UNIQUE INDEX cf_processing_job_once ON public.cf_processing_job USING btree (file_version_id, plugin_id) WHERE (replay_of IS NULL);

CREATE UNIQUE INDEX cf_processing_job_one_replay ON public.cf_processing_job USING btree (replay_of) WHERE ((replay_of IS NOT NULL) AND (state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'HELD'::text])));

CREATE INDEX cf_processing_job_replays ON public.cf_processing_job USING btree (replay_of, id) WHERE (replay_of IS NOT NULL);

CREATE INDEX cf_processing_job_state ON public.cf_processing_job USING btree (state, id);

CREATE UNIQUE INDEX cf_quarantine_row ON public.cf_quarantine USING btree (job_id, attempt, output_name, origin, row_number);

CREATE INDEX cf_replayed_row_history ON public.cf_replayed_row USING btree (row_id, job_id);

CREATE UNIQUE INDEX cf_replayed_row_once ON public.cf_replayed_row USING btree (row_id) WHERE ((state = 'COMMITTED'::text) AND (reasons IS NULL));

CREATE UNIQUE INDEX cf_routing_rule_key ON public.cf_routing_rule USING btree (pattern, plugin_name, source_id, tagged, (
CASE
    WHEN (plugin_name IS NULL) THEN tag
    ELSE NULL::text
END)) NULLS NOT DISTINCT;

CREATE INDEX cf_run_event_outbox_job ON public.cf_run_event_outbox USING btree (job_id);

CREATE INDEX cf_run_event_outbox_waiting ON public.cf_run_event_outbox USING btree (id) WHERE (refused_at IS NULL);

CREATE INDEX cf_scan_finding_archive ON public.cf_scan_finding USING btree (archive_id) WHERE (archive_id IS NOT NULL);

CREATE UNIQUE INDEX cf_scan_finding_key ON public.cf_scan_finding USING btree (source_id, kind, cf_path_key(rel_path));

CREATE UNIQUE INDEX cf_scan_pending_path_key ON public.cf_scan_pending USING btree (source_id, cf_path_key(rel_path));

CREATE INDEX cf_scan_source ON public.cf_scan USING btree (source_id, id);

CREATE INDEX cf_snapshot_released ON public.cf_snapshot USING btree (store, released_at) WHERE (released_at IS NOT NULL);

CREATE INDEX cf_snapshot_version_content ON public.cf_snapshot_version USING btree (content_hash, store);

CREATE UNIQUE INDEX cf_source_root_name_key ON public.cf_source_root USING btree (name) WHERE (state <> 'REMOVED'::text);

CREATE TRIGGER cf_archive_no_member AFTER INSERT ON public.cf_archive FOR EACH ROW EXECUTE FUNCTION cf_archive_guard();

CREATE TRIGGER cf_audit_immutable BEFORE DELETE OR UPDATE ON public.cf_audit FOR EACH ROW EXECUTE FUNCTION cf_refuse();

CREATE TRIGGER cf_contract_immutable BEFORE UPDATE ON public.cf_contract FOR EACH ROW EXECUTE FUNCTION cf_contract_guard();

CREATE TRIGGER cf_file_location_member_changed BEFORE UPDATE OF container_id ON public.cf_file_location FOR EACH ROW WHEN ((new.container_id IS DISTINCT FROM old.container_id)) EXECUTE FUNCTION cf_member_guard();

CREATE TRIGGER cf_file_location_member_inserted BEFORE INSERT ON public.cf_file_location FOR EACH ROW WHEN ((new.container_id IS NOT NULL)) EXECUTE FUNCTION cf_member_guard();

CREATE TRIGGER cf_file_replay_moves BEFORE UPDATE OF state ON public.cf_file_replay FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION cf_file_replay_move();

CREATE TRIGGER cf_file_version_immutable BEFORE UPDATE ON public.cf_file_version FOR EACH ROW EXECUTE FUNCTION cf_refuse();

CREATE TRIGGER cf_file_version_member AFTER INSERT ON public.cf_file_version REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION cf_member_version_guard();

CREATE TRIGGER cf_job_attempt_began AFTER INSERT ON public.cf_job_attempt FOR EACH ROW EXECUTE FUNCTION cf_attempt_event();

CREATE TRIGGER cf_job_attempt_ended AFTER UPDATE OF outcome ON public.cf_job_attempt FOR EACH ROW WHEN (((cf_run_event_kind(old.outcome) IS NULL) AND (cf_run_event_kind(new.outcome) IS NOT NULL))) EXECUTE FUNCTION cf_attempt_event();

CREATE TRIGGER cf_plugin_comparison_immutable BEFORE DELETE OR UPDATE ON public.cf_plugin_comparison FOR EACH ROW EXECUTE FUNCTION cf_refuse();

CREATE TRIGGER cf_plugin_manifest_immutable BEFORE UPDATE ON public.cf_plugin_manifest FOR EACH ROW EXECUTE FUNCTION cf_plugin_manifest_guard();

CREATE TRIGGER cf_plugin_manifest_moves BEFORE UPDATE OF state ON public.cf_plugin_manifest FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION cf_plugin_manifest_move();

CREATE TRIGGER cf_plugin_promotion_immutable BEFORE DELETE OR UPDATE ON public.cf_plugin_promotion FOR EACH ROW EXECUTE FUNCTION cf_refuse();

CREATE TRIGGER cf_processing_job_ended_unbegun AFTER UPDATE OF state ON public.cf_processing_job FOR EACH ROW WHEN (((old.state = ANY (ARRAY['QUEUED'::text, 'HELD'::text])) AND (new.state = ANY (ARRAY['FAILED'::text, 'CANCELLED'::text, 'SUPERSEDED'::text])) AND (new.finished_at IS NOT NULL))) EXECUTE FUNCTION cf_job_event();

CREATE TRIGGER cf_processing_job_replay BEFORE INSERT ON public.cf_processing_job FOR EACH ROW WHEN ((new.replay_of IS NOT NULL)) EXECUTE FUNCTION cf_replay_guard();

CREATE TRIGGER cf_processing_job_transition BEFORE UPDATE ON public.cf_processing_job FOR EACH ROW EXECUTE FUNCTION cf_job_transition();

CREATE TRIGGER cf_source_root_behind BEFORE UPDATE OF snapshots ON public.cf_source_root FOR EACH ROW WHEN ((new.snapshots AND (NOT old.snapshots))) EXECUTE FUNCTION cf_source_root_note_behind();

create view cf_processing_queue as
 SELECT id,
    file_version_id,
    plugin_id,
    plugin_name,
    state AS status,
    priority,
    attempt,
    queued_at,
    started_at,
    finished_at,
    error_code,
    error_message
   FROM cf_processing_job;

create view cf_run_event as
 SELECT cf_job_attempt.job_id,
    cf_job_attempt.attempt,
    'START'::text AS kind,
    cf_job_attempt.started_at AS occurred_at,
    NULL::text AS error_code,
    NULL::text AS error_message
   FROM cf_job_attempt
UNION ALL
 SELECT cf_job_attempt.job_id,
    cf_job_attempt.attempt,
    cf_run_event_kind(cf_job_attempt.outcome) AS kind,
    cf_job_attempt.finished_at AS occurred_at,
    cf_job_attempt.error_code,
    cf_job_attempt.error_message
   FROM cf_job_attempt
  WHERE (cf_run_event_kind(cf_job_attempt.outcome) IS NOT NULL)
UNION ALL
 SELECT r.job_id,
    NULL::integer AS attempt,
    event.kind,
    r.ended_at AS occurred_at,
    event.error_code,
    event.error_message
   FROM (cf_unbegun_run r
     CROSS JOIN LATERAL ( VALUES ('START'::text,NULL::text,NULL::text), (r.kind,r.error_code,r.error_message)) event(kind, error_code, error_message));
