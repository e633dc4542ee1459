import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify, type TomlTable } from "smol-toml";
import { environmentOf, type PluginLock } from "./environments.ts";
import { readUvLock, readYanked } from "./locked-packages.ts";
import { minorVersion } from "./python-version.ts";
import { requirePythonFor, type PythonSearch } from "./pythons.ts";
import { askUv, runUv } from "./uv.ts";

/** What a plugin's `pyproject.toml` and `uv.lock` say of its packages. */
export interface Project {
  /** The whole file, for uv. */
  readonly toml: TomlTable;
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly requiresPython: string | undefined;
  /** The text of its uv.lock; null where there is none. */
  readonly uvLock: string | null;
}

export interface ProjectLocking {
  readonly uv: string;
  readonly interpreter: string;
  readonly pythons?: PythonSearch | undefined;
  readonly allowBuilds?: boolean | undefined;
}

/**
 * Locks a project's packages: as its uv.lock has them, or anew where there is none. pyarrow is added, which carries the rows. What comes out names no
 * registry. Throws as `lockPlugin` does, and PLUGIN_DEPENDENCIES for a uv.lock that is not up to date.
 */
export async function lockProject(project: Project, { uv, interpreter: usual, pythons, allowBuilds }: ProjectLocking): Promise<PluginLock> {
  const python = project.requiresPython ?? `>=${await minorVersion(usual)}`;
  const interpreter = await requirePythonFor(usual, python, { search: pythons });
  const folder = await mkdtemp(join(tmpdir(), "casparian-lock-"));
  const call = {
    uv,
    cwd: folder,
    failed: "the plugin's dependencies can't be locked",
    code: "PLUGIN_DEPENDENCIES",
    hint: `Correct the dependencies in pyproject.toml.${allowBuilds === true ? "" : " Only packages with a wheel can be used ([python] allow_builds)."}`,
  };
  const flags = ["--python", interpreter, "--no-python-downloads", ...(allowBuilds === true ? [] : ["--no-build"])];
  const write = (dependencies: readonly string[]) =>
    writeFile(join(folder, "pyproject.toml"), stringify(withDependencies(project.toml, dependencies, python)));
  try {
    if (project.uvLock !== null) {
      await writeFile(join(folder, "pyproject.toml"), stringify(project.toml));
      await writeFile(join(folder, "uv.lock"), project.uvLock);
      await runUv({
        ...call,
        failed: "uv.lock is not what pyproject.toml asks for",
        hint: "Run uv lock in the plugin's folder",
        args: ["lock", "--check", ...flags],
      });
    }
    const hasArrow = project.dependencies.some((dependency) => /^pyarrow(?![A-Za-z0-9._-])/i.test(dependency.trim()));
    await write(hasArrow ? project.dependencies : [...project.dependencies, "pyarrow"]);
    // What a uv.lock has stays as it is; what is new is added.
    const { stderr } = await askUv({ ...call, args: ["lock", ...flags] });
    const shape = ["--no-emit-project", "--no-dev", "--no-header", "--no-annotate", "--format", "requirements-txt"];
    const lockfile = await runUv({ ...call, args: ["export", "--frozen", ...shape, "--python", interpreter] });
    const packages = readUvLock(await readFile(join(folder, "uv.lock"), "utf8")).filter(({ registry }) => registry !== null);
    return { environment: environmentOf(lockfile, python), packages, yanked: readYanked(stderr) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function withDependencies(toml: TomlTable, dependencies: readonly string[], python: string): TomlTable {
  const project = toml["project"] as TomlTable;
  return { ...toml, project: { ...project, dependencies: [...dependencies], "requires-python": python } };
}
