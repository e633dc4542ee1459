-- Versions on record that a chosen artifact is to process, a few at a time, behind everything that is new.

create table cf_file_replay (
  id bigint generated always as identity primary key,
  plugin_id bigint not null references cf_plugin_manifest,
  plugin_name text not null,
  -- Which files: a glob, or null for what the plugin's rules take; of one source or all; detected since then.
  pattern text,
  source_id bigint references cf_source_root,
  since timestamptz,
  all_versions boolean not null,
  versions_max integer check (versions_max > 0),
  -- Jobs under way at once.
  at_once integer not null check (at_once between 1 and 1000),
  -- What was on record when it was asked for; what came later is no part of it.
  until_version bigint not null,
  -- How many jobs it was to have then.
  expected integer not null,
  actor text not null,
  requested_at timestamptz not null default now(),
  state text not null default 'RUNNING' check (state in ('RUNNING', 'STOPPED', 'COMPLETED')),
  -- Why it stopped, where nobody stopped it.
  reason text,
  ended_at timestamptz,
  -- The last version that it has come to, by file.
  location_at bigint not null default 0,
  version_at bigint not null default 0,
  -- Versions for which it has a job, and those that had a result of the artifact.
  handed_out integer not null default 0,
  skipped integer not null default 0,
  check ((state = 'RUNNING') = (ended_at is null)),
  check (reason is null or state = 'STOPPED')
);
create index cf_file_replay_running on cf_file_replay (id) where state = 'RUNNING';

create function cf_file_replay_move() returns trigger language plpgsql as $$
begin
  if not (case old.state
    when 'RUNNING' then new.state in ('STOPPED', 'COMPLETED')
    when 'STOPPED' then new.state = 'RUNNING'
    else false
  end) then
    raise exception 'replay % cannot go from % to %', old.id, old.state, new.state using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger cf_file_replay_moves before update of state on cf_file_replay
  for each row when (old.state is distinct from new.state) execute function cf_file_replay_move();

create table cf_file_replay_job (
  replay_id bigint not null references cf_file_replay on delete cascade,
  job_id bigint not null references cf_processing_job,
  -- OPEN while the job has not ended, WITHDRAWN where the replay was stopped before it began, else how it ended.
  state text not null default 'OPEN'
    check (state in ('OPEN', 'WITHDRAWN', 'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED', 'SUPERSEDED', 'SKIPPED')),
  -- False for a job that waited already.
  is_own boolean not null,
  check (is_own or state <> 'WITHDRAWN'),
  primary key (replay_id, job_id)
);
create index cf_file_replay_job_state on cf_file_replay_job (replay_id, state);

-- REPLAY: jobs of a replay. Like a backfill it goes behind what is new, and like a retry it is not routed.
alter table cf_outbox drop constraint cf_outbox_reason_check;
alter table cf_outbox add constraint cf_outbox_reason_check check (reason in ('NEW', 'RETRY', 'BACKFILL', 'REPLAY'));
drop index cf_outbox_unstarted;
create index cf_outbox_unstarted on cf_outbox (worker_group, priority desc, (reason in ('BACKFILL', 'REPLAY')), requested_at)
  where started_at is null;
