import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { testTools } from "../support/tools.ts";

/** A virtual environment without a package; what a test writes into `packages` can be imported. */
export function makeBareEnvironment(): { readonly python: string; readonly packages: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "cf-environment-"));
  const base = testTools().python;
  const version = execFileSync(base, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"], { encoding: "utf8" }).trim();
  const packages = join(folder, "lib", `python${version}`, "site-packages");
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(folder, "bin"));
  const python = join(folder, "bin", "python");
  symlinkSync(base, python);
  writeFileSync(join(folder, "pyvenv.cfg"), `home = ${dirname(base)}\n`);
  return { python, packages, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
