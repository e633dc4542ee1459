-- Rows that were set aside are kept as they came, and may be replayed: held against the present contract, and put beside their job's result.
-- Invariant: a row passes a replay at most once.

alter table cf_processing_job
  -- The job whose rows in quarantine it replays; null for a job that runs the plugin.
  add column replay_of bigint references cf_processing_job,
  drop constraint cf_processing_job_file_version_id_plugin_id_key;
create unique index cf_processing_job_once on cf_processing_job (file_version_id, plugin_id) where replay_of is null;
create unique index cf_processing_job_one_replay on cf_processing_job (replay_of)
  where replay_of is not null and state in ('QUEUED', 'RUNNING', 'HELD');
create index cf_processing_job_replays on cf_processing_job (replay_of, id) where replay_of is not null;

create or replace function cf_job_transition() returns trigger language plpgsql as $$
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
end $$;

create function cf_replay_guard() returns trigger language plpgsql as $$
begin
  if not exists (select from cf_processing_job j where j.id = new.replay_of and j.replay_of is null and j.state = 'PARTIAL'
    and (j.file_version_id, j.plugin_id, j.plugin_name) = (new.file_version_id, new.plugin_id, new.plugin_name)) then
    raise exception 'a job replays rows of one that has set some aside, of the same file version and artifact' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger cf_processing_job_replay before insert on cf_processing_job for each row
  when (new.replay_of is not null) execute function cf_replay_guard();

alter table cf_job_output
  -- The job whose result this one joins: both stand and are replaced together.
  add column replay_of bigint references cf_processing_job;
drop index cf_job_output_one_result;
create unique index cf_job_output_one_result on cf_job_output (file_version_id, plugin_id, output_name)
  where state = 'COMMITTED' and replay_of is null;
create unique index cf_job_output_one_joining on cf_job_output (job_id, output_name) where state = 'COMMITTED' and replay_of is not null;

-- The rows that a contract refused, as the plugin gave them. The pieces of an output are, one after the other, a stream of Arrow's IPC format:
-- piece 0 is its schema, each other one the dictionaries and the batch of some rows, in the order of their numbers.
create table cf_quarantine_piece (
  job_id bigint not null,
  attempt integer not null,
  output_name text not null,
  piece integer not null check (piece >= 0),
  arrow bytea not null,
  primary key (job_id, attempt, output_name, piece),
  foreign key (job_id, attempt, output_name) references cf_job_output on delete cascade
);

alter table cf_quarantine
  -- Null for rows that a plugin set aside, and where only their text was kept.
  add column piece integer,
  add check (piece > 0 and (origin = 'CONTRACT' or piece is null)),
  add foreign key (job_id, attempt, output_name, piece) references cf_quarantine_piece;

-- What became of each row in each replay.
create table cf_replayed_row (
  job_id bigint not null,
  attempt integer not null,
  row_id bigint not null references cf_quarantine,
  -- Why it was refused again; null where it passed. As in cf_quarantine.
  reasons jsonb check (jsonb_array_length(reasons) > 0),
  state text not null default 'STAGED' check (state in ('STAGED', 'COMMITTED')),
  primary key (job_id, attempt, row_id),
  foreign key (job_id, attempt) references cf_job_attempt on delete cascade
);
create unique index cf_replayed_row_once on cf_replayed_row (row_id) where state = 'COMMITTED' and reasons is null;
create index cf_replayed_row_history on cf_replayed_row (row_id, job_id);
