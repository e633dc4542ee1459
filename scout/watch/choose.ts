import { findBlindness } from "./blindness.ts";
import { isLargerThan } from "./tree-size.ts";

export type AdapterName = "chokidar" | "native";

/** Which adapter watches a tree; null and why where none can. */
export type Choice = { readonly adapter: AdapterName } | { readonly adapter: null; readonly reason: string };

/**
 * Files and folders up to which chokidar watches. Measured on Linux: it is ready after 0.1 s for 1,000 files, 0.37 s for 5,000, 0.66 s for
 * 10,000, in which the event loop has little time for others, and takes 5 kB for each. The native one's process takes 80 MB and 0.2 to 0.3 s for
 * any of these, and for 100,000 files 100 MB where chokidar takes 360.
 */
const chokidarEntriesMax = 5_000;

/** What is best for this tree: chokidar for a small one, the native watcher for a large one, none where the kernel doesn't see changes. */
export async function chooseAdapter(root: string, entersFolder: (relPath: string) => boolean): Promise<Choice> {
  const blindness = await findBlindness(root);
  if (blindness !== null) return { adapter: null, reason: `it is on ${blindness}, where changes that others make are not seen` };
  return { adapter: (await outgrowsChokidar(root, entersFolder)) ? "native" : "chokidar" };
}

/** Whether a tree is too large for chokidar. */
export function outgrowsChokidar(root: string, entersFolder: (relPath: string) => boolean): Promise<boolean> {
  return isLargerThan(chokidarEntriesMax, root, entersFolder);
}
