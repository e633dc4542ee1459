import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { insertAudit } from "../db/audit.ts";
import { placesOf, versionsByHash } from "../db/history.ts";
import { transaction, type Database } from "../db/pool.ts";
import { alone, forgetSnapshot } from "../db/snapshot.ts";
import { examineCopies, examineCopy, type DamagedCopy } from "../snapshots/examine.ts";
import { saveContent } from "../snapshots/save.ts";
import { findStore, incomingFolder, type SnapshotStore } from "../snapshots/store.ts";
import type { ControlContext } from "./context.ts";

export interface VerifyRequest {
  readonly stateDir: string;
  /** Replaces damaged copies from files that still have the content, and takes the others out of the record. */
  readonly repair: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (contents: number, bytes: number) => void;
}

export interface DamageFound extends DamagedCopy {
  /** Files of which it was the content, as `source/path · version N`. */
  readonly versions: readonly string[];
  /** `repaired`: copied anew. `given up`: no file has it any more, and the record doesn't say any longer that there is a copy. */
  readonly outcome: "left" | "repaired" | "given up";
}

export interface VerifiedSnapshots {
  readonly contents: number;
  readonly bytes: number;
  readonly damaged: readonly DamageFound[];
}

/** Reads every copy in this home's store and compares it with its hash. */
export async function verifySnapshots(context: ControlContext, request: VerifyRequest): Promise<VerifiedSnapshots> {
  const store = await findStore(request.stateDir);
  if (store === null) return { contents: 0, bytes: 0, damaged: [] };
  const { contents, bytes, damaged } = await examineCopies(context.db, store, request);
  const found: DamageFound[] = [];
  for (const copy of damaged) {
    const versions = await versionsByHash(context.db, copy.hash);
    const outcome = request.repair ? await repair(context, store, copy, await placesOf(context.db, copy.hash)) : "left";
    found.push({ ...copy, versions: versions.map((v) => `${v.source}/${v.path} · version ${v.sequence}`), outcome });
  }
  return { contents, bytes, damaged: found };
}

async function repair(
  { db, actor }: ControlContext,
  store: SnapshotStore,
  copy: DamagedCopy,
  files: readonly string[],
): Promise<"repaired" | "given up"> {
  const outcome = (await copyAnew(store, copy, files)) ?? (await giveUp(db, store, copy));
  await insertAudit(db, { actor, action: "snapshot.repair", subject: copy.hash, detail: { damage: copy.damage, outcome } });
  return outcome;
}

async function copyAnew(store: SnapshotStore, copy: DamagedCopy, files: readonly string[]): Promise<"repaired" | null> {
  const written = join(incomingFolder(store.folder), randomBytes(12).toString("hex"));
  for (const from of new Set(files)) {
    const saved = await saveContent({ from, contentHash: copy.hash, to: written, replace: true, mode: 0o400 });
    if (saved !== "saved") continue;
    await mkdir(dirname(copy.path), { recursive: true, mode: 0o700 });
    await rename(written, copy.path);
    return "repaired";
  }
  return null;
}

/** While nobody counts on it; a scan may have made it anew since it was looked at. */
async function giveUp(db: Database, store: SnapshotStore, copy: DamagedCopy): Promise<"repaired" | "given up"> {
  return alone(db, store.id, async () => {
    if ((await examineCopy(store, copy, { quick: false })) === null) return "repaired";
    await transaction(db, (tx) => forgetSnapshot(tx, store.id, copy.hash));
    await rm(copy.path, { force: true });
    return "given up";
  });
}
