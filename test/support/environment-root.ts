import { resolve } from "node:path";

/** Python environments of all runs; they are named by content, so sharing them is safe. */
export const environmentRoot = resolve(import.meta.dirname, "../../.casparian/test/environments");
