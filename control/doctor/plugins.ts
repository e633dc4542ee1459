import { requireSignature, requireWhole } from "../../bridge/artifact.ts";
import { findPythonFor } from "../../bridge/pythons.ts";
import { readTrustedKeys } from "../../bridge/trusted-keys.ts";
import { listPlugins, loadArtifact, type PluginSummary } from "../../db/plugin.ts";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import { explainMissing, missingImports } from "../missing-imports.ts";
import { parseCode } from "../plugin-code.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "plugins";

/** Is there an active plugin, and can each one run: has it a Handler, and an environment with what it imports? */
export async function checkPlugins(patient: Patient): Promise<readonly Diagnosis[]> {
  const active = (await listPlugins(patient.db, null)).filter((plugin) => plugin.state === "ACTIVE");
  if (active.length === 0) {
    return [
      { subject, severity: "error", message: "no plugin is active, so no file can be processed", hint: "casparian plugin publish FILE" },
    ];
  }
  const found = (await Promise.all(active.map((plugin) => checkPlugin(patient, plugin)))).flat();
  return found.length > 0
    ? found
    : [{ subject, severity: "ok", message: active.map((plugin) => `${plugin.name} ${plugin.version}`).join(", "), hint: null }];
}

async function checkPlugin({ db, host, plugins }: Patient, { id, name, version }: PluginSummary): Promise<readonly Diagnosis[]> {
  const artifact = await loadArtifact(db, id);
  const refused = refusalOf(artifact, plugins);
  // Without Python nothing can be parsed, and the host's check says so.
  if (refused !== null || "trouble" in host.python) return refused === null ? [] : [refused];
  const { sourceCode, folder = null, environment } = artifact;
  const hint = `Mend it, then casparian plugin publish FILE --name ${name}`;
  try {
    const search = host.tools.uv === null ? undefined : { uv: host.tools.uv, mayDownload: false };
    const python = (await findPythonFor(host.python.path, environment.python, search)) ?? host.python.path;
    const parsed = await parseCode(python, { source: sourceCode, folder, fileName: folder?.entry ?? `${name}.py` });
    const missing = missingImports(parsed.imports, environment.lockfile);
    if (missing.length === 0) return [];
    const trouble = explainMissing(missing, parsed.hasDependencies);
    return [{ subject, severity: "warning", message: `${name} ${version}: ${trouble.message}`, hint: `${trouble.hint}\n${hint}` }];
  } catch (error) {
    return [{ subject, severity: "error", message: `${name} ${version}: ${messageOf(error)}`, hint }];
  }
}

/** Why a worker of this machine would not run it. */
function refusalOf(artifact: Awaited<ReturnType<typeof loadArtifact>>, plugins: Patient["plugins"]): Diagnosis | null {
  try {
    requireWhole(artifact);
    if (plugins !== undefined) requireSignature(artifact, readTrustedKeys(plugins.trustedKeys), plugins.requireSignature);
    return null;
  } catch (error) {
    const hint = error instanceof TerminalFailure ? (error.hint ?? null) : null;
    return { subject, severity: "error", message: messageOf(error), hint };
  }
}
