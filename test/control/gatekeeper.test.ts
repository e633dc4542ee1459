import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { auditPackages } from "../../bridge/audit-packages.ts";
import type { LockedPackage } from "../../bridge/locked-packages.ts";
import { showPlugin } from "../../control/list-plugins.ts";
import { publishPlugin, type PublishedPlugin } from "../../control/publish-plugin.ts";
import type { GatekeeperPolicy } from "../../domain/gatekeeper.ts";
import { testDatabase } from "../support/database.ts";
import { startOsvService } from "../support/osv-service.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const folder = await mkdtemp(join(tmpdir(), "casparian-gatekeeper-"));
const context = { db, actor: "ann@desk", temporal: null };
const osv = await startOsvService({ name: "jinja2", id: "GHSA-g3rq-g295-4j3m", summary: "slow", fixed: "2.11.3" });
afterAll(async () => {
  await Promise.all([close(), osv.close()]);
  await rm(folder, { recursive: true, force: true });
});

const handler = "class Handler:\n    def execute(self, file_path: str):\n        return None\n";
const warn: GatekeeperPolicy = { mode: "warn", allow: [], vulnerabilityService: "off" };

async function publish(name: string, code: string, gatekeeper: GatekeeperPolicy, force = false): Promise<PublishedPlugin> {
  const file = join(folder, `${name}.py`);
  await writeFile(file, code);
  return publishPlugin(context, { file, force, backfill: false, tools: testTools(), gatekeeper });
}

describe("what publishing does", () => {
  const code = `import subprocess\nimport socket\n${handler}`;

  test("warns, keeps what it found with the version, and says the same of the same content again", async () => {
    const first = await publish("warned", code, warn);
    expect(first.gatekeeper?.findings).toMatchObject([
      { kind: "process", subject: "subprocess", line: 1, column: 8 },
      { kind: "network", subject: "socket", line: 2, column: 8 },
    ]);
    const again = await publish("warned", code, warn);
    expect(again).toMatchObject({ outcome: "unchanged", gatekeeper: first.gatekeeper });
    const kept = (await showPlugin(context, "warned")).gatekeeper;
    expect(kept).toEqual({ ...first.gatekeeper, examinedAt: expect.any(Date) as Date });
    await publish("warned", handler, warn);
    expect((await showPlugin(context, "warned")).gatekeeper?.findings).toEqual([]);
    expect((await showPlugin(context, "warned", "1")).gatekeeper?.findings).toHaveLength(2);
  });

  test("refuses with all findings and the next step, and nothing is stored", async () => {
    const refused = publish("refused", code, { ...warn, mode: "refuse", allow: ["environment"] });
    await expect(refused).rejects.toMatchObject({
      code: "PLUGIN_REFUSED",
      message: expect.stringMatching(
        /^refused\.py is refused .*\n {2}line 1, column 8: process: .*\n {2}line 2, column 8: network: /,
      ) as string,
      hint: expect.stringContaining('gatekeeper_allow under [plugins] in casparian.toml: "process", "network"') as string,
    });
    const { rows } = await db.query("select from cf_plugin_manifest where name = 'refused'");
    expect(rows).toEqual([]);
    expect((await db.query("select from cf_audit where subject like 'refused@%'")).rowCount).toBe(0);
  });

  test("kinds that are allowed are kept, and are no reason to refuse", async () => {
    const { gatekeeper } = await publish("allowed", code, { ...warn, mode: "refuse", allow: ["process", "network"] });
    expect(gatekeeper?.findings).toHaveLength(2);
    expect((await showPlugin(context, "allowed")).gatekeeper?.findings).toHaveLength(2);
  });

  test("off: nothing is looked at", async () => {
    expect((await publish("unseen", code, { ...warn, mode: "off" })).gatekeeper).toBeNull();
    expect((await showPlugin(context, "unseen")).gatekeeper).toBeNull();
  });

  test("a missing import has its place, and stays a matter of --force also where findings are refused", async () => {
    const source = `import json\nimport sklearn.linear_model as m\n${handler}`;
    await expect(publish("missing", source, { ...warn, mode: "refuse" })).rejects.toMatchObject({ code: "PLUGIN_IMPORT_MISSING" });
    const { gatekeeper } = await publish("missing", source, { ...warn, mode: "refuse" }, true);
    expect(gatekeeper?.findings).toMatchObject([{ kind: "import", subject: "sklearn.linear_model", line: 2, column: 8 }]);
  });
});

describe("what the lock tells", () => {
  const block = '# /// script\n# dependencies = [\n#   "requests==2.32.0", "Jinja2==2.11.0",\n#   "pyarrow",\n# ]\n# ///\n';

  test("yanked versions, machine code and known vulnerabilities, at the line that names the package", async () => {
    const { gatekeeper } = await publish("locked", `${block}${handler}`, { ...warn, vulnerabilityService: osv.url });
    const told = gatekeeper!.findings.map(({ line, column, kind, subject, message }) => [kind, subject, `${line}:${column}`, message]);
    expect(told).toContainEqual([
      "yanked",
      "requests",
      "3:6",
      "requests 2.32.0 was taken back by those who published it: Yanked due to conflicts with CVE-2024-35195 mitigation",
    ]);
    expect(told).toContainEqual([
      "vulnerable",
      "jinja2",
      "3:26",
      "jinja2 2.11.0 has the known vulnerability GHSA-g3rq-g295-4j3m (slow), mended in 2.11.3",
    ]);
    // Drawn in by Jinja2, so the file does not name it; pyarrow has machine code, too, but is in every plugin.
    expect(told.filter(([kind]) => kind === "compiled").map(([, subject, place]) => [subject, place])).toEqual([
      ["charset-normalizer", "null:null"],
      ["markupsafe", "null:null"],
    ]);
    expect(gatekeeper!.unchecked).toEqual([]);
    expect(osv.asked).toEqual(expect.arrayContaining(["jinja2", "pyarrow", "requests", "urllib3"]));
  });

  test("the standard environment is asked about, too", async () => {
    osv.asked.length = 0;
    const { gatekeeper } = await publish("standard", handler, { ...warn, vulnerabilityService: osv.url });
    expect(gatekeeper).toEqual({ findings: [], unchecked: [expect.stringContaining("standard environment were yanked")] });
    expect(osv.asked.filter((name) => name === "pandas")).toHaveLength(2);
  });
});

describe("known vulnerabilities", () => {
  const jinja: LockedPackage = { name: "jinja2", version: "2.11.0", registry: "https://pypi.org/simple", wheels: [] };
  const ours: LockedPackage = { name: "our-secret", version: "1.0", registry: "https://pkgs.example.com/simple", wheels: [] };
  const { uv } = testTools();

  test("a service that does not answer, or none: what was not checked is said", async () => {
    expect(await auditPackages({ uv, packages: [jinja], service: "http://127.0.0.1:1/" })).toEqual({
      vulnerabilities: [],
      unchecked: [expect.stringMatching(/^known vulnerabilities: uv audit failed: .*refused/) as string],
    });
    expect(await auditPackages({ uv, packages: [jinja], service: "off" })).toEqual({
      vulnerabilities: [],
      unchecked: ['known vulnerabilities: vulnerability_service is "off"'],
    });
  });

  test("names of packages from elsewhere than PyPI go to no service that nobody has named", async () => {
    expect(await auditPackages({ uv, packages: [ours], service: undefined })).toEqual({
      vulnerabilities: [],
      unchecked: [expect.stringContaining("known vulnerabilities of our-secret: not from PyPI") as string],
    });
    osv.asked.length = 0;
    expect(await auditPackages({ uv, packages: [ours, jinja], service: osv.url })).toMatchObject({
      vulnerabilities: [{ name: "jinja2" }],
      unchecked: [],
    });
    expect(osv.asked).toEqual(["jinja2", "our-secret"]);
  });
});
