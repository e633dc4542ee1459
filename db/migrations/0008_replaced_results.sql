-- A result may take the place of earlier ones: modes "replace" and "overwrite".

alter table cf_job_output
  -- Until when readers of the target found the rows, and whose result took their place. One that came after its successor never was to be seen.
  add column replaced_at timestamptz,
  add column replaced_by bigint references cf_processing_job,
  add constraint cf_job_output_replaced_check check (
    (replaced_at is null) = (replaced_by is null) and (replaced_at is null or (state = 'COMMITTED' and replaced_at >= committed_at))
  );

-- All that a target holds.
create index cf_job_output_current on cf_job_output (sink_uri) where state = 'COMMITTED' and replaced_at is null;
