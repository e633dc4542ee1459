import { realpath, stat } from "node:fs/promises";
import { errorCode } from "../../domain/system-error.ts";

/** A root folder as it is now. */
export interface Root {
  /** Without symbolic links; null where no folder is there. */
  readonly path: string | null;
  /** Differs for another folder, and for none. */
  readonly identity: string;
}

/** Asynchronous, because a share that doesn't answer would hold the event loop. */
export async function findRoot(path: string): Promise<Root> {
  try {
    const real = await realpath(path);
    return { path: real, identity: await identify(path) };
  } catch (error) {
    return { path: null, identity: errorCode(error) };
  }
}

/** Which folder is at the path. */
export async function identify(path: string): Promise<string> {
  try {
    const stats = await stat(path, { bigint: true });
    return `${stats.dev}:${stats.ino}`;
  } catch (error) {
    return errorCode(error);
  }
}
