import { captureTemporalLog } from "../../workers/log.ts";
import { quietLog } from "./quiet-log.ts";

/** Import this where a test runs workers or activities whose failures are expected. */
captureTemporalLog(quietLog);
