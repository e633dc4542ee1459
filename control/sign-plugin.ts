import { signedText } from "../bridge/artifact.ts";
import type { SigningKey } from "../bridge/signing-key.ts";
import { insertAudit } from "../db/audit.ts";
import { listPlugins, lockPluginName, setSignature, type PluginSummary } from "../db/plugin.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import type { ControlContext } from "./context.ts";
import { findPluginVersion } from "./find-plugin.ts";
import { identify } from "./identify.ts";

export interface SignedPlugin {
  readonly plugin: PluginSummary;
  /** False where it had just this signature. */
  readonly changed: boolean;
}

/** Signs a published version, in place of the signature that it had. Throws WrongUse for an unknown one. */
export async function signPlugin(context: ControlContext, name: string, version: string, key: SigningKey): Promise<SignedPlugin> {
  const { db, actor } = context;
  const identity = await identify(context);
  return transaction(db, async (tx) => {
    await lockPluginName(tx, name);
    const { id } = await findPluginVersion(tx, name, version);
    const changed = await signVersion(tx, name, id, key);
    if (changed)
      await insertAudit(tx, { actor, identity, action: "plugin.sign", subject: `${name}@${version}`, detail: { key: key.publicKey } });
    return { plugin: await findPluginVersion(tx, name, version), changed };
  });
}

/** Ed25519 gives the same signature for the same text, so signing again changes nothing. */
export async function signVersion(tx: Queryable, name: string, pluginId: string, key: SigningKey): Promise<boolean> {
  const plugin = (await listPlugins(tx, name)).find(({ id }) => id === pluginId)!;
  const signature = key.sign(signedText(plugin));
  if (plugin.signature === signature) return false;
  await setSignature(tx, pluginId, signature);
  return true;
}
