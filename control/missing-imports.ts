import { dependencyLines, packageOf } from "../bridge/dependencies.ts";

/** Brought by the bridge itself: the SDK that old plugins import. */
const ours = "casparian_flow";

/** Those of the imported modules whose package is not among the locked ones, by the package's usual name. */
export function missingImports(imports: readonly string[], lockfile: string): readonly string[] {
  const locked = new Set(lockedPackages(lockfile).map(normalizeName));
  const isThere = (module: string): boolean => {
    const top = module.split(".")[0] ?? module;
    return top === ours || locked.has(normalizeName(packageOf(module))) || locked.has(normalizeName(top));
  };
  return [...new Set(imports)].filter((module) => !isThere(module));
}

/** What to say of imports that the environment lacks: what is missing, and the lines to add. */
export function explainMissing(missing: readonly string[], hasDependencies: boolean): { readonly message: string; readonly hint: string } {
  const list = missing.join(", ");
  if (hasDependencies) {
    return {
      message: `the plugin imports ${list}, and no package of that name is among its dependencies`,
      hint: `Add it to the plugin's # /// script block if it is missing: ${missing.map((module) => `"${packageOf(module)}"`).join(", ")}`,
    };
  }
  return {
    message: `the plugin imports ${list}, which the standard environment does not have`,
    hint: `Declare what it needs at the top of the file:\n\n${dependencyLines(missing)}\n`,
  };
}

function lockedPackages(lockfile: string): readonly string[] {
  return [...lockfile.matchAll(/^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==/gm)].map((match) => match[1]!);
}

/** PEP 503: one name has many spellings. */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}
