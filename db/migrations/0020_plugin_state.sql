-- A published version's life: STAGED waits, ACTIVE takes files, RETIRED did, REJECTED never runs again.

-- When it was last made the active one, and why it was rejected.
alter table cf_plugin_manifest
  add column activated_at timestamptz,
  add column rejected_reason text check (length(rejected_reason) between 1 and 2000);
update cf_plugin_manifest set activated_at = published_at where state in ('ACTIVE', 'RETIRED');
alter table cf_plugin_manifest
  add constraint cf_plugin_manifest_activated check (state not in ('ACTIVE', 'RETIRED') or activated_at is not null),
  add constraint cf_plugin_manifest_rejected check ((state = 'REJECTED') = (rejected_reason is not null));

create function cf_plugin_manifest_move() returns trigger language plpgsql as $$
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
end $$;
create trigger cf_plugin_manifest_moves before update of state on cf_plugin_manifest
  for each row when (old.state is distinct from new.state) execute function cf_plugin_manifest_move();
