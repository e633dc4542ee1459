import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { promisify } from "node:util";
import { TerminalFailure } from "../domain/failure.ts";

const run = promisify(execFile);

/** As whom a program that refuses to run as root is started. */
export interface Identity {
  /** The command line to start instead. */
  wrap(command: string, args: readonly string[]): { readonly command: string; readonly args: readonly string[] };
  readonly uid?: number;
  readonly gid?: number;
  /** Makes a folder and everything in it usable by the program; call it before the program is started. */
  own(folder: string): Promise<void>;
}

const itself: Identity = { wrap: (command, args) => ({ command, args }), own: async () => {} };

/**
 * PostgreSQL refuses to run as root. For root it is started in a user namespace where root is called nobody: the files stay root's, no system user
 * is needed, and programs below `/root` stay reachable. Where the kernel or the container doesn't allow that, as the system user
 * `postgres`, which is made when it is missing; its data folder then belongs to it. A data folder that belongs to somebody else than root
 * already is used as its owner.
 * Throws TerminalFailure NO_UNPRIVILEGED_USER when none of this works.
 */
export async function findIdentity(
  folder: string,
  allowed: { readonly userNamespaces: boolean } = { userNamespaces: true },
): Promise<Identity> {
  if (process.getuid?.() !== 0) return itself;
  const owner = await stat(folder).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return as(owner.uid, owner.gid);
  if (allowed.userNamespaces && (await works("unshare", [...inNamespace, "true"]))) {
    return { ...itself, wrap: (command, args) => ({ command: "unshare", args: [...inNamespace, command, ...args] }) };
  }
  if (!(await works("id", ["-u", "postgres"]))) await works("useradd", ["--system", "--user-group", "--no-create-home", "postgres"]);
  const [uid, gid] = await Promise.all([idOf("-u"), idOf("-g")]);
  return as(uid, gid);
}

const inNamespace = ["--user", "--map-user=65534", "--map-group=65534"] as const;

function as(uid: number, gid: number): Identity {
  return {
    ...itself,
    uid,
    gid,
    own: async (folder) => {
      await run("chown", ["-R", `${uid}:${gid}`, folder]);
      // Searching each folder on the way must be allowed as well, which is not so below /root.
      await run("test", ["-w", folder], { uid, gid }).catch(() => {
        throw refused(`the system user with id ${uid} can't reach ${folder}`);
      });
    },
  };
}

async function idOf(flag: "-u" | "-g"): Promise<number> {
  try {
    return Number((await run("id", [flag, "postgres"])).stdout);
  } catch {
    throw refused("this container allows neither user namespaces nor a system user");
  }
}

function refused(why: string): TerminalFailure {
  return new TerminalFailure({
    code: "NO_UNPRIVILEGED_USER",
    message: `PostgreSQL refuses to run as root, and ${why}`,
    hint: "Run Casparian as an ordinary user, or use an external database: [database] url in casparian.toml",
  });
}

async function works(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}
