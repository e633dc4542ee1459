-- What of a source decides the order of its versions, and who starts them, stands in the outbox itself: a million rows wait there at times.

alter table cf_outbox
  -- Its source's; higher goes first.
  add column priority integer not null default 0,
  -- Its source's; '' is any worker.
  add column worker_group text not null default '';

update cf_outbox o set priority = s.priority, worker_group = coalesce(s.worker_group, '')
from cf_file_version v join cf_file_location l on l.id = v.location_id join cf_source_root s on s.id = l.source_id
where v.id = o.file_version_id;

-- Whoever inserts says them.
alter table cf_outbox
  alter column priority drop default,
  alter column worker_group drop default;

drop index cf_outbox_unstarted;
create index cf_outbox_unstarted on cf_outbox (worker_group, priority desc, (reason = 'BACKFILL'), requested_at) where started_at is null;
drop index cf_outbox_started;
create index cf_outbox_started on cf_outbox (worker_group, started_at) where started_at is not null;
