-- What OpenLineage endpoints are told of jobs: runs that began and ended.
-- Invariant: while somebody subscribes, an event is recorded in the transaction that makes it true, and leaves the record after it was sent.

-- Of which record an id is: ids of jobs are the same in every record.
create table cf_record (
  id uuid not null default gen_random_uuid(),
  single boolean primary key default true check (single)
);
insert into cf_record default values;

-- The homes whose settings ask for events. Without one nothing is recorded.
create table cf_run_event_subscriber (
  home text primary key,
  -- Where to, without secrets.
  destination text not null,
  seen_at timestamptz not null default now()
);

create table cf_run_event_outbox (
  id bigint generated always as identity primary key,
  job_id bigint not null references cf_processing_job on delete cascade,
  -- Null where the job ended before an attempt began.
  attempt integer,
  kind text not null check (kind in ('START', 'COMPLETE', 'FAIL', 'ABORT')),
  occurred_at timestamptz not null,
  error_code text,
  error_message text,
  -- How often the endpoint failed at it while it took others.
  tries integer not null default 0,
  -- Since when it is set aside, and what the endpoint said.
  refused_at timestamptz,
  refusal text,
  check ((refused_at is null) = (refusal is null))
);
create index cf_run_event_outbox_waiting on cf_run_event_outbox (id) where refused_at is null;
create index cf_run_event_outbox_job on cf_run_event_outbox (job_id);

-- How the sending goes: one row.
create table cf_run_event_delivery (
  single boolean primary key default true check (single),
  sent bigint not null default 0,
  last_sent_at timestamptz,
  -- Tries that failed since something was sent.
  failures integer not null default 0 check (failures >= 0),
  failing_since timestamptz,
  error text,
  -- Nobody tries before.
  retry_at timestamptz,
  check ((failures = 0) = (error is null) and (error is null) = (failing_since is null))
);
insert into cf_run_event_delivery default values;

-- What an attempt's outcome is to OpenLineage; null while it has none.
create function cf_run_event_kind(outcome text) returns text language sql immutable parallel safe
  return case when outcome = 'COMMITTED' then 'COMPLETE' when outcome in ('FAILED', 'LOST') then 'FAIL'
    when outcome in ('CANCELLED', 'SUPERSEDED') then 'ABORT' end;

create function cf_attempt_event() returns trigger language plpgsql as $$
begin
  if exists (select from cf_run_event_subscriber) then
    insert into cf_run_event_outbox (job_id, attempt, kind, occurred_at, error_code, error_message)
    select new.job_id, new.attempt, 'START', new.started_at, null, null where tg_op = 'INSERT'
    union all
    select new.job_id, new.attempt, cf_run_event_kind(new.outcome), now(), new.error_code, new.error_message where tg_op = 'UPDATE';
  end if;
  return null;
end $$;
create trigger cf_job_attempt_began after insert on cf_job_attempt for each row execute function cf_attempt_event();
-- Once for each attempt: one that was lost may be called failed or cancelled afterwards.
create trigger cf_job_attempt_ended after update of outcome on cf_job_attempt for each row
  when (cf_run_event_kind(old.outcome) is null and cf_run_event_kind(new.outcome) is not null) execute function cf_attempt_event();

-- Jobs that ended before an attempt of them began: an environment can't be built, or somebody cancels. A job may do so again after a retry.
create table cf_unbegun_run (
  job_id bigint not null references cf_processing_job on delete cascade,
  ended_at timestamptz not null,
  kind text not null check (kind in ('FAIL', 'ABORT')),
  error_code text,
  error_message text,
  primary key (job_id, ended_at)
);

create function cf_job_event() returns trigger language plpgsql as $$
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
end $$;
create trigger cf_processing_job_ended_unbegun after update of state on cf_processing_job for each row
  when (old.state in ('QUEUED', 'HELD') and new.state in ('FAILED', 'CANCELLED', 'SUPERSEDED') and new.finished_at is not null)
  execute function cf_job_event();

-- The same events of everything on record, whoever subscribed.
create view cf_run_event as
  select job_id, attempt, 'START' as kind, started_at as occurred_at, null as error_code, null as error_message from cf_job_attempt
  union all
  select job_id, attempt, cf_run_event_kind(outcome), finished_at, error_code, error_message
  from cf_job_attempt where cf_run_event_kind(outcome) is not null
  union all
  select r.job_id, null, event.kind, r.ended_at, event.error_code, event.error_message
  from cf_unbegun_run r cross join lateral (
    values ('START', null, null), (r.kind, r.error_code, r.error_message)
  ) as event (kind, error_code, error_message);
