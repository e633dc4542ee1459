-- Rules that give files a tag, rules that take files by a tag, and what a scan left out by its source's limits.

alter table cf_routing_rule
  -- Null for a rule that only gives its tag.
  alter column plugin_name drop not null,
  -- Only files that have this tag by another rule.
  add column tagged text check (tagged <> ''),
  add constraint cf_routing_rule_does_something check (plugin_name is not null or coalesce(tag, '') <> ''),
  -- Pattern to tag, tag to plugin, and no further: so no rule can wait for itself.
  add constraint cf_routing_rule_two_steps check (tagged is null or (plugin_name is not null and tag is null));

-- The tag of a rule with a plugin may be changed; that of a rule without one is what it does, so it is part of what the rule is.
drop index cf_routing_rule_key;
create unique index cf_routing_rule_key
  on cf_routing_rule (pattern, plugin_name, source_id, tagged, (case when plugin_name is null then tag end)) nulls not distinct;

-- Files that a scan saw and would have taken, were they within the source's limits of size and age.
alter table cf_scan add column files_left_out bigint not null default 0;
