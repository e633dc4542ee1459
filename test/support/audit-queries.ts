/** The two audit queries of the product's documents, to the letter. */
export const versionsWithJobs = `
SELECT l.rel_path, v.id as version_id, v.content_hash, v.size_bytes, v.detected_at, COUNT(j.id) as jobs_processed
FROM cf_file_location l
JOIN cf_file_version v ON v.location_id = l.id
LEFT JOIN cf_processing_queue j ON j.file_version_id = v.id
GROUP BY l.rel_path, v.id
ORDER BY l.rel_path, v.detected_at;
`;

export const jobsWithVersions = `
SELECT j.id as job_id, j.status, j.plugin_name, v.id as version_id, v.content_hash, l.rel_path, v.detected_at
FROM cf_processing_queue j
JOIN cf_file_version v ON v.id = j.file_version_id
JOIN cf_file_location l ON l.id = v.location_id
ORDER BY j.id;
`;
