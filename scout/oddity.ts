import { realpathSync, type BigIntStats } from "node:fs";
import { errorCode } from "../domain/system-error.ts";

/** Why something that is neither a file nor a folder is not taken. `prefix` is the root's real path with a `/` at its end. */
export function describeOddity(stats: BigIntStats, path: string, prefix: string): { readonly finding: string; readonly message: string } {
  if (stats.isSymbolicLink()) return describeLink(path, prefix);
  if (stats.isFIFO()) return { finding: "FIFO", message: "a named pipe, which has no content of its own" };
  if (stats.isSocket()) return { finding: "SOCKET", message: "a socket, which has no content of its own" };
  return { finding: "DEVICE", message: "a device, not a file" };
}

function describeLink(path: string, prefix: string): { readonly finding: string; readonly message: string } {
  try {
    const target = realpathSync.native(prefix + path);
    return `${target}/`.startsWith(prefix)
      ? {
          finding: "LINK_INSIDE",
          message: `a link to ${target.slice(prefix.length) || "the source's root"}, which is scanned at its own place`,
        }
      : { finding: "LINK_OUTSIDE", message: `a link to ${target}, outside of the source; add that folder as a source of its own` };
  } catch (error) {
    const code = errorCode(error);
    if (code === "ELOOP") return { finding: "LINK_LOOP", message: "a link that leads back to itself" };
    if (code === "ENOENT" || code === "ENOTDIR") return { finding: "LINK_BROKEN", message: "a link to something that is not there" };
    return { finding: "LINK_BROKEN", message: `a link that can't be followed: ${code}` };
  }
}
