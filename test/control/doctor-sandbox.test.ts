import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Patient } from "../../control/doctor/diagnosis.ts";
import { checkSandbox } from "../../control/doctor/host.ts";
import { testTools } from "../support/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "cf-doctor-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As on a machine whose kernel has no Landlock. */
function patientWithoutLandlock(sandbox: "on" | "require"): Patient {
  const path = join(folder, "python");
  const program = join(import.meta.dirname, "../bridge/hostile/without_wall.py");
  writeFileSync(path, `#!/bin/sh\nexec '${testTools().python}' '${program}' landlock '${testTools().python}' "$@"\n`);
  chmodSync(path, 0o755);
  const plugins = { requireSignature: false, trustedKeys: "", sandbox };
  return { host: { python: { path, version: "3" } }, plugins } as unknown as Patient;
}

test("doctor says which wall is lacking, what follows, what to do, and what is there", async () => {
  const [lack, there] = await checkSandbox(patientWithoutLandlock("on"));
  expect(lack).toMatchObject({
    severity: "warning",
    message: "no Landlock: a plugin can read every file that this user can, and write to them",
    hint: expect.stringContaining("Use Linux 6.2 or newer with Landlock") as string,
  });
  expect(there).toMatchObject({ severity: "info", message: expect.stringContaining("a system call filter") as string });
});

test("where all walls are required, a lacking one is an error, because no job runs", async () => {
  const [lack] = await checkSandbox(patientWithoutLandlock("require"));
  expect(lack).toMatchObject({
    severity: "error",
    message: expect.stringMatching(/^jobs are refused here \(sandbox = "require"\): no Landlock/) as string,
  });
});
