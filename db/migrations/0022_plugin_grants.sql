-- What an operator lets a plugin reach beyond its sandbox: folders to read, hosts to connect to. By name, so for all of its versions.

create table cf_plugin_grant (
  plugin_name text not null,
  kind text not null check (kind in ('READ', 'HOST')),
  -- An absolute path, or name:port.
  target text not null check (length(target) between 1 and 4096),
  granted_at timestamptz not null default now(),
  granted_by text not null,
  primary key (plugin_name, kind, target)
);
