import { auditPackages } from "../bridge/audit-packages.ts";
import type { PluginLock } from "../bridge/environments.ts";
import { examineSource } from "../bridge/examine-source.ts";
import type { LockedPackage } from "../bridge/locked-packages.ts";
import type { ParsedPlugin } from "../bridge/manifest.ts";
import { TerminalFailure } from "../domain/failure.ts";
import { objections, type GatekeeperFinding, type GatekeeperPolicy, type GatekeeperReport } from "../domain/gatekeeper.ts";
import type { PluginFolder } from "../domain/plugin.ts";
import { missingImports, normalizeName } from "./missing-imports.ts";
import type { PluginTools } from "./plugin-tools.ts";

/** Every plugin has the first, and most have all. */
const everybodys = ["pyarrow", "pandas", "numpy"];

export interface Examination {
  readonly source: string;
  readonly folder?: PluginFolder | null;
  readonly parsed: ParsedPlugin;
  readonly lock: PluginLock;
  readonly tools: PluginTools;
  /** What `auditPackages` asks; null where nothing may leave the machine. */
  readonly audit: { readonly service: string | undefined } | null;
}

/** Looks at a plugin's syntax tree and lock before anything of it runs: what stands out, by place, and what could not be looked at. */
export async function examinePlugin({ source, folder, parsed, lock, tools, audit }: Examination): Promise<GatekeeperReport> {
  const [code, audited] = await Promise.all([
    examineFiles(tools.python, source, folder ?? null),
    audit === null ? null : auditPackages({ uv: tools.uv, packages: lock.packages, service: audit.service }),
  ]);
  const missing = new Set(missingImports(parsed.imports, lock.environment.lockfile));
  const imports = code.imports
    .filter(({ module }) => missing.has(module.split(".")[0]!))
    .map(({ module, ...place }): GatekeeperFinding => {
      const message = `${module} is neither of Python's own modules nor in a locked package of its name, so importing it fails`;
      return { kind: "import", subject: module, ...place, message };
    });
  const packages: readonly Omit<GatekeeperFinding, "line" | "column">[] = [
    ...lock.packages.filter(isCompiled).map(({ name, version }) => ({
      kind: "compiled" as const,
      subject: name,
      message: `${name} ${version} has wheels with machine code, in which nobody can read what it does`,
    })),
    ...(lock.yanked ?? []).map(({ name, version, reason }) => ({
      kind: "yanked" as const,
      subject: name,
      message: `${name} ${version} was taken back by those who published it${reason === null ? "" : `: ${reason}`}`,
    })),
    ...(audited?.vulnerabilities ?? []).map(({ name, version, id, summary, fixedIn }) => ({
      kind: "vulnerable" as const,
      subject: name,
      message: `${name} ${version} has the known vulnerability ${id}${summary === null ? "" : ` (${summary})`}, ${mendedBy(fixedIn)}`,
    })),
  ];
  const found = [...imports, ...code.findings, ...packages.map((each) => ({ ...each, ...placeInBlock(source, each.subject) }))];
  const unasked =
    lock.yanked === null && audit !== null ? ["whether versions of the standard environment were yanked: its lock comes along"] : [];
  return { findings: found.toSorted(byPlace), unchecked: [...unasked, ...(audited?.unchecked ?? [])] };
}

/** Throws TerminalFailure PLUGIN_REFUSED where the policy is to refuse and there is something that it does not allow. */
export function refuseFindings(report: GatekeeperReport, policy: GatekeeperPolicy, fileName: string): void {
  const against = policy.mode === "refuse" ? objections(report, policy) : [];
  if (against.length === 0) return;
  const kinds = [...new Set(against.map(({ kind }) => kind))].map((kind) => `"${kind}"`).join(", ");
  throw new TerminalFailure({
    code: "PLUGIN_REFUSED",
    message: [`${fileName} is refused by the gatekeeper, and nothing was stored`, ...against.map(describeFinding)].join("\n  "),
    hint: `Take it out of the plugin; or where it is meant, add its kind to gatekeeper_allow under [plugins] in casparian.toml: ${kinds}`,
    data: { findings: against },
  });
}

/** Of all files of a folder; those of other files than the one with the Handler say which. */
async function examineFiles(python: string, source: string, folder: PluginFolder | null): ReturnType<typeof examineSource> {
  const code = await examineSource(python, source);
  const [findings, imports] = [[...code.findings], [...code.imports]];
  for (const [file, text] of Object.entries(folder?.files ?? {})) {
    if (!file.endsWith(".py")) continue;
    const other = await examineSource(python, text);
    findings.push(...other.findings.map((finding) => ({ ...finding, file })));
    imports.push(...other.imports.map((place) => ({ ...place, file })));
  }
  return { findings, imports };
}

/** `line 3, column 8: process: …`; without a place for a package that the file doesn't name. */
export function describeFinding({ file, line, column, kind, message }: GatekeeperFinding): string {
  const place = line === null ? "" : `${file === undefined ? "" : `${file}, `}line ${line}, column ${column}: `;
  return `${place}${kind}: ${message}`;
}

function isCompiled({ name, wheels }: LockedPackage): boolean {
  return !everybodys.includes(name) && wheels !== null && wheels.some((wheel) => !wheel.endsWith("-none-any.whl"));
}

function mendedBy(fixedIn: readonly string[]): string {
  return fixedIn.length === 0 ? "and no version that mends it is known" : `mended in ${fixedIn.join(", ")}`;
}

/** Where the script block names the package; other packages have drawn in what it does not name. */
function placeInBlock(source: string, name: string): Pick<GatekeeperFinding, "line" | "column"> {
  const lines = source.split(/\r\n|\r|\n/);
  const first = lines.findIndex((line) => /^# \/\/\/ script\s*$/.test(line));
  const last = lines.findIndex((line, index) => index > first && /^# \/\/\/\s*$/.test(line));
  for (let index = first + 1; first !== -1 && index < last; index += 1) {
    const named = [...lines[index]!.matchAll(/["']([A-Za-z0-9][A-Za-z0-9._-]*)/g)].find(
      (match) => normalizeName(match[1]!) === normalizeName(name),
    );
    if (named !== undefined) return { line: index + 1, column: named.index + 2 };
  }
  return { line: null, column: null };
}

function byPlace(a: GatekeeperFinding, b: GatekeeperFinding): number {
  const files = (a.file ?? "").localeCompare(b.file ?? "");
  if (files !== 0) return files;
  return (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER) || (a.column ?? 0) - (b.column ?? 0);
}
