import { isAbsolute, relative } from "node:path";
import { insertAudit } from "../db/audit.ts";
import { deleteGrant, insertGrant, listGrants, type GrantRow } from "../db/plugin-grant.ts";
import { transaction } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import type { PluginGrants } from "../domain/plugin-grant.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { realPath } from "./real-path.ts";

export type { GrantRow } from "../db/plugin-grant.ts";

export interface ChangedGrants {
  /** What was granted, or taken away, and was not so before. */
  readonly changed: readonly Pick<GrantRow, "kind" | "target">[];
  /** All that the plugin has now. */
  readonly grants: readonly GrantRow[];
}

/**
 * Lets all versions of a plugin reach folders and hosts, from its next job on. `stateDir` holds this home's secrets and is given to nobody.
 * Throws WrongUse for an unknown plugin, and for what can't be granted.
 */
export async function grantToPlugin(
  { db, actor }: ControlContext,
  plugin: string,
  asked: PluginGrants,
  stateDir: string,
): Promise<ChangedGrants> {
  const targets = targetsOf(asked);
  for (const { kind, target } of targets) {
    if (kind === "READ") checkFolder(target, stateDir);
    else checkHost(target);
  }
  return transaction(db, async (tx) => {
    await findPlugin(tx, plugin);
    const changed = [];
    for (const one of targets) if (await insertGrant(tx, { plugin, ...one, grantedBy: actor })) changed.push(one);
    for (const one of changed) await insertAudit(tx, { actor, action: "plugin.grant", subject: plugin, detail: { ...one } });
    return { changed, grants: await listGrants(tx, plugin) };
  });
}

/** Takes grants away, from the next job on. Throws WrongUse for an unknown plugin, and for what was not granted. */
export async function revokeFromPlugin({ db, actor }: ControlContext, plugin: string, asked: PluginGrants | "all"): Promise<ChangedGrants> {
  return transaction(db, async (tx) => {
    await findPlugin(tx, plugin);
    const present = await listGrants(tx, plugin);
    const targets = asked === "all" ? present.map(({ kind, target }) => ({ kind, target })) : targetsOf(asked);
    for (const one of targets) {
      if (!(await deleteGrant(tx, { plugin, ...one }))) throw notGranted(plugin, one.target, present);
      await insertAudit(tx, { actor, action: "plugin.revoke", subject: plugin, detail: { ...one } });
    }
    return { changed: targets, grants: await listGrants(tx, plugin) };
  });
}

function targetsOf({ read, hosts }: PluginGrants): readonly Pick<GrantRow, "kind" | "target">[] {
  const folders = [...new Set(read)].map((target) => ({ kind: "READ" as const, target }));
  return [...folders, ...[...new Set(hosts)].map((target) => ({ kind: "HOST" as const, target }))];
}

function checkFolder(folder: string, stateDir: string): void {
  if (!isAbsolute(folder) || folder.includes("\0") || folder.includes("\n"))
    throw new WrongUse(`"${folder}" is no absolute path of a folder`);
  const [own, asked] = [realPath(stateDir), realPath(folder)];
  if (isWithin(own, asked) || isWithin(asked, own))
    throw new WrongUse(
      `${folder} can't be granted: it holds, or is part of, ${stateDir}, where this home's secrets are`,
      "Grant a folder beside it",
    );
}

/** Names of hosts and IPv4 addresses, and a port. */
function checkHost(host: string): void {
  const [, , port = "0"] = /^([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?):(\d{1,5})$/.exec(host) ?? [];
  if (Number(port) >= 1 && Number(port) <= 65_535) return;
  throw new WrongUse(`"${host}" is no host and port`, "Give a name or an IPv4 address, and the port: --host db.example:5432");
}

function isWithin(path: string, folder: string): boolean {
  const between = relative(folder, path);
  return between === "" || !(between === ".." || between.startsWith("../") || isAbsolute(between));
}

function notGranted(plugin: string, target: string, present: readonly GrantRow[]): WrongUse {
  const list = present.map((grant) => grant.target).join(", ");
  return new WrongUse(`${target} is not granted to ${plugin}`, list === "" ? `${plugin} has no grants` : `Granted: ${list}`);
}
