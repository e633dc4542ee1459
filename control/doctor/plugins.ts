import { readPlugin } from "../../bridge/manifest.ts";
import { listPlugins, loadArtifact, type PluginSummary } from "../../db/plugin.ts";
import { messageOf } from "../../domain/failure.ts";
import { explainMissing, missingImports } from "../missing-imports.ts";
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

async function checkPlugin({ db, host }: Patient, { id, name, version }: PluginSummary): Promise<readonly Diagnosis[]> {
  // Without Python nothing can be parsed, and the host's check says so.
  if ("trouble" in host.python) return [];
  const { sourceCode, environment } = await loadArtifact(db, id);
  const hint = `Mend it, then casparian plugin publish FILE --name ${name}`;
  try {
    const parsed = await readPlugin({ python: host.python.path, source: sourceCode, fileName: `${name}.py` });
    const missing = missingImports(parsed.imports, environment.lockfile);
    if (missing.length === 0) return [];
    const trouble = explainMissing(missing, parsed.hasDependencies);
    return [{ subject, severity: "warning", message: `${name} ${version}: ${trouble.message}`, hint: `${trouble.hint}\n${hint}` }];
  } catch (error) {
    return [{ subject, severity: "error", message: `${name} ${version}: ${messageOf(error)}`, hint }];
  }
}
