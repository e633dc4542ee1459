-- What the gatekeeper made of a published version: advice, which stops nothing that runs.

create table cf_gatekeeper_report (
  plugin_id bigint primary key references cf_plugin_manifest,
  -- When this was found first.
  examined_at timestamptz not null default now(),
  -- A list of {kind, subject, line, column, message}.
  findings jsonb not null check (jsonb_typeof(findings) = 'array'),
  -- Sentences on what could not be looked at.
  unchecked jsonb not null check (jsonb_typeof(unchecked) = 'array')
);
