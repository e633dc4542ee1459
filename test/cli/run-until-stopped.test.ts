import { join } from "node:path";
import { execaNode } from "execa";
import { expect, test } from "vitest";

test("a system that has died ends its process, whatever a library leaves running", async () => {
  const ended = await execaNode(join(import.meta.dirname, "dying-system.ts"), { reject: false });
  expect(ended).toMatchObject({ exitCode: 3, stdout: "stopped: the database ended" });
});
