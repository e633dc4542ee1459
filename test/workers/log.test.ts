import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const log = join(import.meta.dirname, "../../workers/log.ts");

test("what a plugin says does nothing to the terminal of whoever reads the log", () => {
  const evil = "a\u001b]0;title\u0007\u001b[2J\u009b31m\u202eb";
  const program = `
    const { createLog } = await import(${JSON.stringify(log)});
    const log = createLog("info");
    log.warn(${JSON.stringify(evil)}, { reason: ${JSON.stringify(evil)} });
    process.exit(0);
  `;
  const written = execFileSync("sh", ["-c", '"$0" --input-type=module -e "$1" 2>&1', process.execPath, program], { encoding: "utf8" });
  expect(written).toContain(String.raw`a\u001b]0;title\u0007`);
  // eslint-disable-next-line no-control-regex -- they are what this looks for
  expect(written).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
});
