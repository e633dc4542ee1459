import { insertAudit } from "../db/audit.ts";
import { lockPluginName, rejectArtifact, type PluginSummary } from "../db/plugin.ts";
import { transaction } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import type { ControlContext } from "./context.ts";
import { findPluginVersion } from "./find-plugin.ts";
import { identify } from "./identify.ts";

export interface RejectedPlugin {
  readonly plugin: PluginSummary;
  /** False where it was rejected already. */
  readonly changed: boolean;
  /** Whether it was the active version: then none is now. */
  readonly wasActive: boolean;
}

/** Characters. */
const reasonMax = 2000;

/**
 * Keeps a version of a plugin from ever running again: its jobs that wait end as FAILED, PLUGIN_REJECTED, and the same content can't be
 * published under its name. What it made stays. Throws WrongUse for an unknown version or a reason that is none.
 */
export async function rejectPlugin(context: ControlContext, name: string, version: string, reason: string): Promise<RejectedPlugin> {
  const { db, actor } = context;
  if (reason.trim() === "" || reason.length > reasonMax || reason.includes("\0"))
    throw new WrongUse(`a reason has 1 to ${reasonMax} characters`, 'Say why: --why "it drops rows of page two"');
  const identity = await identify(context);
  return transaction(db, async (tx) => {
    await lockPluginName(tx, name);
    const before = await findPluginVersion(tx, name, version);
    if (before.state === "REJECTED") return { plugin: before, changed: false, wasActive: false };
    await rejectArtifact(tx, before.id, reason);
    await insertAudit(tx, {
      actor,
      identity,
      action: "plugin.reject",
      subject: `${name}@${version}`,
      detail: { was: before.state, reason },
    });
    return { plugin: await findPluginVersion(tx, name, version), changed: true, wasActive: before.state === "ACTIVE" };
  });
}

/** Throws WrongUse for a version that is rejected. */
export function refuseRejected({ name, version, rejectedReason }: PluginSummary): void {
  if (rejectedReason !== null)
    throw new WrongUse(
      `${name} ${version} was rejected: ${rejectedReason}`,
      "What is rejected stays so; publish a version with other content",
    );
}
