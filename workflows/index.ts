/** All workflows, as Temporal's bundler wants them: by name from one module. */
export { processFileVersion } from "./process-file-version.ts";
export { replayFiles } from "./replay-files.ts";
export { requestScan } from "./request-scan.ts";
export { scanSource } from "./scan-source.ts";
