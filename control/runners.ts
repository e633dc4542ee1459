import { ensureKeyPair, isRunnerKey, keyFile } from "../bridge/runner/keys.ts";
import { type ConnectedRunner, readConnected } from "../bridge/runner/connected.ts";
import { readTrustedRunners, writeTrustedRunners } from "../bridge/runner/trusted-runners.ts";
import { insertAudit } from "../db/audit.ts";
import { listPluginRunners, setPluginRunner } from "../db/plugin-runner.ts";
import { transaction } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import { requireName } from "../domain/name.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";

/** The public key of this folder, worker's and runner's alike; made if need be. */
export async function runnerKey(stateDir: string): Promise<{ readonly publicKey: string; readonly file: string }> {
  const file = keyFile(stateDir);
  return { publicKey: (await ensureKeyPair(file)).publicKey, file };
}

/** Trusts a runner's key under a name; false where it was so before. Throws WrongUse for a text that is none, and for a key that has another name. */
export async function trustRunner({ db, actor }: ControlContext, file: string, name: string, publicKey: string): Promise<boolean> {
  requireName(name, "a runner");
  if (!isRunnerKey(publicKey))
    throw new WrongUse(`"${publicKey}" is no runner's public key`, "Give it as casparian runner key prints it: curve: and 44 characters");
  const runners = new Map(readTrustedRunners(file));
  const known = runners.get(publicKey);
  if (known === name) return false;
  if (known !== undefined) throw new WrongUse(`this key is trusted as ${known}`, `Take that away first: casparian runner remove ${known}`);
  await writeTrustedRunners(file, runners.set(publicKey, name));
  await insertAudit(db, { actor, action: "runner.trust", subject: name, detail: { publicKey, file } });
  return true;
}

/** Takes a runner's trust away; its keys. Throws WrongUse for a name that is not trusted. */
export async function distrustRunner({ db, actor }: ControlContext, file: string, name: string): Promise<readonly string[]> {
  const runners = readTrustedRunners(file);
  const publicKeys = [...runners].flatMap(([key, known]) => (known === name ? [key] : []));
  if (publicKeys.length === 0) {
    const names = [...new Set(runners.values())].join(", ");
    throw new WrongUse(`no runner "${name}" is trusted here`, names === "" ? `There is none in ${file}` : `Trusted: ${names}`);
  }
  await writeTrustedRunners(file, new Map([...runners].filter(([, known]) => known !== name)));
  await insertAudit(db, { actor, action: "runner.remove", subject: name, detail: { publicKeys, file } });
  return publicKeys;
}

export interface KnownRunner {
  readonly name: string;
  /** Empty where plugins are bound to a name that nobody trusts here. */
  readonly publicKeys: readonly string[];
  readonly connected: readonly ConnectedRunner[];
  readonly plugins: readonly string[];
}

export async function listRunners({ db }: ControlContext, stateDir: string, file: string): Promise<readonly KnownRunner[]> {
  const trusted = [...readTrustedRunners(file)];
  const [bound, connected] = [await listPluginRunners(db), readConnected(stateDir)];
  const names = [...new Set([...trusted.map(([, name]) => name), ...bound.map(({ runner }) => runner)])].toSorted();
  return names.map((name) => ({
    name,
    publicKeys: trusted.flatMap(([key, known]) => (known === name ? [key] : [])),
    connected: connected.filter((one) => one.name === name),
    plugins: bound.flatMap(({ runner, plugin }) => (runner === name ? [plugin] : [])),
  }));
}

/** From now on the plugin's files are planned for that runner; for the worker's own pool with null. Returns what it was bound to before. */
export async function bindPlugin(
  { db, actor }: ControlContext,
  file: string,
  plugin: string,
  runner: string | null,
): Promise<string | null> {
  await findPlugin(db, plugin);
  const names = new Set(readTrustedRunners(file).values());
  if (runner !== null && !names.has(runner))
    throw new WrongUse(`no runner "${runner}" is trusted here`, `Trust it first: casparian runner trust ${runner} KEY`);
  return transaction(db, async (tx) => {
    const before = await setPluginRunner(tx, plugin, runner);
    if (before !== runner) await insertAudit(tx, { actor, action: "plugin.runner", subject: plugin, detail: { runner, before } });
    return before;
  });
}
