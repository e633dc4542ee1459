-- Who changed which code runs, by the word of the sign-in server that the configuration names; null where nobody had to sign in.

alter table cf_plugin_manifest
  add column publisher_issuer text,
  add column publisher_subject text,
  add column publisher_email text,
  add constraint cf_plugin_manifest_identity check (
    (publisher_issuer is null) = (publisher_subject is null) and (publisher_email is null or publisher_subject is not null));

create or replace function cf_plugin_manifest_guard() returns trigger language plpgsql as $$
begin
  if (new.name, new.version, new.artifact_hash, new.source_code, new.manifest, new.environment_hash, new.publisher, new.published_at,
      new.publisher_issuer, new.publisher_subject, new.publisher_email)
    is distinct from (old.name, old.version, old.artifact_hash, old.source_code, old.manifest, old.environment_hash, old.publisher, old.published_at,
      old.publisher_issuer, old.publisher_subject, old.publisher_email)
  then raise exception 'a published plugin is immutable but for its state' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

alter table cf_audit
  add column actor_issuer text,
  add column actor_subject text,
  add column actor_email text,
  add constraint cf_audit_identity check (
    (actor_issuer is null) = (actor_subject is null) and (actor_email is null or actor_subject is not null));
