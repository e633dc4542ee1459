-- Which plugins run on a runner, a machine or container of their own, and not in a worker's own pool.
create table cf_plugin_runner (
  plugin_name text primary key check (plugin_name ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'),
  -- Only the name: whose key it stands for is a file of each worker's machine.
  runner text not null check (runner ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$')
);
