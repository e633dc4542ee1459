-- A plugin may be a folder: source_code is then the file with its Handler, `entry` that file's path, `files` the others by path, as text.

alter table cf_plugin_manifest
  add column entry text check (entry ~ '^[^/\\].*\.py$'),
  add column files jsonb check (jsonb_typeof(files) = 'object'),
  add constraint cf_plugin_manifest_folder check ((entry is null) = (files is null));

create or replace function cf_plugin_manifest_guard() returns trigger language plpgsql as $$
begin
  if (new.name, new.version, new.artifact_hash, new.source_code, new.manifest, new.environment_hash, new.publisher, new.published_at,
      new.publisher_issuer, new.publisher_subject, new.publisher_email, new.entry, new.files)
    is distinct from (old.name, old.version, old.artifact_hash, old.source_code, old.manifest, old.environment_hash, old.publisher, old.published_at,
      old.publisher_issuer, old.publisher_subject, old.publisher_email, old.entry, old.files)
  then raise exception 'a published plugin is immutable but for its state' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
