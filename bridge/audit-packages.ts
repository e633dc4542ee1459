import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { messageOf } from "../domain/failure.ts";
import type { LockedPackage } from "./locked-packages.ts";
import { writeScriptBlock } from "./script-block.ts";
import { askUv } from "./uv.ts";

export interface KnownVulnerability {
  readonly name: string;
  readonly version: string;
  /** Such as `GHSA-…` or `PYSEC-…`. */
  readonly id: string;
  readonly summary: string | null;
  readonly fixedIn: readonly string[];
}

export interface Audit {
  readonly vulnerabilities: readonly KnownVulnerability[];
  /** What was not asked for, and why. */
  readonly unchecked: readonly string[];
}

/** What `uv audit --output-format json` says; a preview of uv's, so nothing of it is taken for granted. */
interface UvAudit {
  readonly vulnerabilities: readonly {
    readonly dependency: { readonly name: string; readonly version: string };
    readonly id: string;
    readonly summary?: string | null;
    readonly fix_versions?: readonly string[];
  }[];
}

const pypi = "https://pypi.org/simple";
const auditMsMax = 30_000;
// Publishing does not wait for a service that does not answer.
const patience = { UV_HTTP_RETRIES: "0", UV_HTTP_TIMEOUT: "10", UV_HTTP_CONNECT_TIMEOUT: "5" };

/**
 * Asks a vulnerability service (OSV) about locked packages by `uv audit`. Never throws for what the service or uv do: what they did not
 * tell is said. Names of packages that don't come from PyPI are given to a service only that somebody has named.
 */
export async function auditPackages(request: {
  readonly uv: string;
  readonly packages: readonly LockedPackage[];
  /** Undefined for uv's own, `off` for none. */
  readonly service: string | undefined;
}): Promise<Audit> {
  const { uv, packages, service } = request;
  if (service === "off") return { vulnerabilities: [], unchecked: ['known vulnerabilities: vulnerability_service is "off"'] };
  const asked = packages.filter(({ registry }) => service !== undefined || isOfPypi(registry));
  const left = packages.filter((each) => !asked.includes(each)).map(({ name }) => name);
  const kept =
    left.length === 0
      ? []
      : [`known vulnerabilities of ${left.join(", ")}: not from PyPI, and no vulnerability_service is named that may know these packages`];
  if (asked.length === 0) return { vulnerabilities: [], unchecked: kept };
  try {
    return { vulnerabilities: await askService(uv, asked, service), unchecked: kept };
  } catch (error) {
    return { vulnerabilities: [], unchecked: [`known vulnerabilities: ${shorten(messageOf(error))}`, ...kept] };
  }
}

async function askService(
  uv: string,
  packages: readonly LockedPackage[],
  service: string | undefined,
): Promise<readonly KnownVulnerability[]> {
  const folder = await mkdtemp(join(tmpdir(), "casparian-audit-"));
  try {
    await writeFile(join(folder, "plugin.py"), writeScriptBlock({ dependencies: [], "requires-python": ">=3.10" }));
    await writeFile(join(folder, "plugin.py.lock"), lockOf(packages));
    const { stdout } = await askUv({
      uv,
      args: [
        ...["audit", "--script", "plugin.py", "--frozen", "--output-format", "json", "--no-python-downloads"],
        ...(service === undefined ? [] : ["--service-url", service.endsWith("/") ? service : `${service}/`]),
      ],
      cwd: folder,
      env: patience,
      failed: "uv audit failed",
      code: "PLUGIN_AUDIT",
      hint: "",
      signal: AbortSignal.timeout(auditMsMax),
      // There are some.
      exitCodeToo: 1,
    });
    return (JSON.parse(stdout) as UvAudit).vulnerabilities.map(({ dependency, id, summary, fix_versions: fixedIn }) => ({
      ...dependency,
      id,
      summary: summary === undefined || summary === "" ? null : summary,
      fixedIn: fixedIn ?? [],
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A lock of just these packages, all of them asked for, without files: nothing is installed from it. */
function lockOf(packages: readonly LockedPackage[]): string {
  return stringify({
    version: 1,
    revision: 3,
    "requires-python": ">=3.10",
    manifest: { requirements: [...new Set(packages.map(({ name }) => name))].map((name) => ({ name })) },
    package: packages.map(({ name, version, registry }) => ({ name, version, source: { registry: registry ?? pypi } })),
  });
}

function isOfPypi(registry: string | null): boolean {
  return registry === null || (URL.canParse(registry) && new URL(registry).hostname === "pypi.org");
}

/** What was tried, and the innermost cause. */
function shorten(words: string): string {
  if (words.includes("unrecognized subcommand")) return "this uv has no `uv audit`; a newer one does";
  const lines = words.split("\n").map((line) => line.trim());
  const cause = lines.findLast((line) => line.startsWith("cause: "))?.slice("cause: ".length);
  return cause === undefined ? lines[0]! : `${lines[0]}: ${cause}`;
}
