import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { getSystemErrorName } from "node:util";
import { TerminalFailure } from "../../domain/failure.ts";
import { systemCode } from "../files/refusal.ts";

/**
 * Swaps two folders at once, so that readers find under each name the one or the other and never nothing: `renameat2` with RENAME_EXCHANGE
 * (Linux), `renamex_np` with RENAME_SWAP (macOS), for which Node has no function. Throws the system's refusal as Node's functions do, and
 * TerminalFailure SINK_REFUSED where the system or the file system can't.
 */
export async function swapFolders(one: string, other: string): Promise<void> {
  exchange ??= loadExchange();
  const { call, errno } = await exchange;
  if (call(one, other) === 0) return;
  const code = getSystemErrorName(-errno());
  if (unsupported.has(code)) throw cannotSwap(code);
  throw Object.assign(new Error(`${code}: swap '${one}' and '${other}'`), { code, syscall: "renameat2" });
}

/** Throws TerminalFailure SINK_REFUSED where two folders below this one couldn't be swapped, by trying it. */
export async function requireSwap(folder: string): Promise<void> {
  const place = await mkdtemp(join(folder, "swap-"));
  try {
    const [one, other] = [join(place, "one"), join(place, "other")];
    await mkdir(one);
    await mkdir(other);
    await swapFolders(one, other);
  } finally {
    await rm(place, { recursive: true }).catch((error: unknown) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
  }
}

interface Exchange {
  readonly call: (one: string, other: string) => number;
  readonly errno: () => number;
}

let exchange: Promise<Exchange> | undefined;

async function loadExchange(): Promise<Exchange> {
  try {
    const { default: koffi } = await import("koffi");
    const system = koffi.load(null);
    if (process.platform === "darwin") {
      const rename = system.func("int renamex_np(const char *from, const char *to, unsigned int flags)");
      return { call: (one, other) => Number(rename(one, other, swapFlag)), errno: () => koffi.errno() };
    }
    const rename = system.func("int renameat2(int fromFolder, const char *from, int toFolder, const char *to, unsigned int flags)");
    return { call: (one, other) => Number(rename(workingFolder, one, workingFolder, other, swapFlag)), errno: () => koffi.errno() };
  } catch (error) {
    throw cannotSwap(process.platform, error);
  }
}

/** RENAME_EXCHANGE and RENAME_SWAP alike. Source: linux/fs.h; sys/stdio.h of macOS. */
const swapFlag = 2;
/** AT_FDCWD. */
const workingFolder = -100;
const unsupported: ReadonlySet<string> = new Set(["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]);

function cannotSwap(why: string, cause?: unknown): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_REFUSED",
    message: `two folders can't be swapped at once here (${why}), which a partitioned result needs to take the place of another`,
    hint: "Use mode append or error, a folder on a local disk of Linux or macOS, or no partitions",
    cause,
  });
}
