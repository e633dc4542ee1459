-- Contracts with checks and thresholds, and rows that are set aside by them or by a plugin.

alter table cf_contract
  -- More rows set aside of one file than this number, or this share of the rows received, fail its job.
  add column rows_max bigint check (rows_max >= 0),
  add column share_max double precision check (share_max between 0 and 1),
  -- Whose rows it was made from: the first ones, or such that widened it. Null where a person wrote it.
  add column job_id bigint references cf_processing_job,
  add column author text not null default 'casparian',
  add column approved_at timestamptz,
  add column retired_at timestamptz,
  add constraint cf_contract_times_check check (
    (state <> 'PROPOSED' or (approved_at is null and retired_at is null)) and (state <> 'APPROVED' or (approved_at is not null and retired_at is null))
    and (state <> 'RETIRED' or retired_at is not null));

create function cf_contract_guard() returns trigger language plpgsql as $$
begin
  if (new.plugin_name, new.output_name, new.version, new.columns, new.policy, new.rows_max, new.share_max, new.job_id, new.author, new.created_at)
    is distinct from
    (old.plugin_name, old.output_name, old.version, old.columns, old.policy, old.rows_max, old.share_max, old.job_id, old.author, old.created_at)
  then raise exception 'a version of a contract is immutable but for its state' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger cf_contract_immutable before update on cf_contract for each row execute function cf_contract_guard();

alter table cf_job_output
  -- The contract that was in force for it.
  add column contract_id bigint references cf_contract,
  -- The columns as the plugin yielded them.
  add column given_columns jsonb,
  -- What the contract's columns become when this result is committed.
  add column next_columns jsonb;

-- Where the columns of a file were not those of the contract.
create table cf_contract_drift (
  id bigint generated always as identity primary key,
  job_id bigint not null references cf_processing_job,
  attempt integer not null,
  output_name text not null,
  contract_id bigint not null references cf_contract,
  -- [{"kind": "added" | "removed" | "widened" | "narrowed", "column": …, "from": …, "to": …}]
  changes jsonb not null,
  -- The columns as they came.
  given_columns jsonb not null,
  -- The job failed by it.
  refused boolean not null,
  seen_at timestamptz not null default now()
);
create index cf_contract_drift_contract on cf_contract_drift (contract_id, id);

-- Nothing has been set aside before this migration.
alter table cf_quarantine
  drop column column_name,
  drop column reason,
  -- Kept to the letter: numbers with their digits, and texts with any character.
  alter column raw type json using raw::text::json,
  add column file_version_id bigint not null references cf_file_version,
  add column plugin_id bigint not null references cf_plugin_manifest,
  -- By the contract of the result, or by the plugin itself.
  add column origin text not null check (origin in ('CONTRACT', 'PLUGIN')),
  -- [{"column": … or null, "reason": …}], at least one.
  add column reasons jsonb not null check (jsonb_array_length(reasons) > 0),
  -- Where the plugin says that it lies in the file.
  add column file_position text,
  -- Set aside with the commit of its result; a result that is discarded takes its rows with it.
  add column state text not null default 'STAGED' check (state in ('STAGED', 'QUARANTINED')),
  add check (row_number > 0),
  add foreign key (job_id, attempt, output_name) references cf_job_output on delete cascade;
drop index cf_quarantine_job;
create unique index cf_quarantine_row on cf_quarantine (job_id, attempt, output_name, origin, row_number);
