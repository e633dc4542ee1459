import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { dumpText } from "../support/dump-text.ts";
import { commandOn, failureOf, program } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";
import { startSignInServer, type SignInServer } from "../support/sign-in-server.ts";
import { testTools } from "../support/tools.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-login-"));
const casparian = commandOn(home, url);
let server: SignInServer;
beforeAll(async () => {
  server = await startSignInServer();
  const policy = `sign_in = { issuer = "${server.issuer}", client_id = "casparian", allow = ["@example.org"] }`;
  await writeFile(
    join(home, "casparian.toml"),
    `[python]\ninterpreter = "${testTools().python}"\n[plugins]\ngatekeeper = "off"\n${policy}\n`,
  );
  await writeFile(join(home, "clean.py"), 'class Handler:\n    def execute(self, file_path):\n        yield {"a": [1]}\n');
  vi.stubEnv("XDG_CONFIG_HOME", join(home, "config"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  await close();
  await rm(home, { recursive: true, force: true });
});

test("publishing asks for a sign-in, which takes a page and a code; then the record says who it was, and holds nothing of the tokens", async () => {
  const refused = await casparian("plugin", "publish", "clean.py", "--json");
  expect(refused.exitCode).toBe(1);
  expect(failureOf(refused)).toMatchObject({ code: "SIGN_IN_REQUIRED", hint: "Sign in first: casparian login" });

  const login = execa(process.execPath, [program, "--home", home, "login"], { reject: false });
  login.stderr.setEncoding("utf8").on("data", (text: string) => {
    const page = /http:\S+user_code=[A-Z-]+/.exec(text);
    if (page !== null) void server.approve(page[0], "ann");
  });
  const done = await login;
  expect([done.exitCode, done.stdout]).toEqual([0, `Signed in: ann@example.org (ann of ${server.issuer})`]);
  expect(done.stderr).toMatch(/To sign in, open http:\S+\/device and enter the code [A-Z]{4}-[A-Z]{4}/);

  await casparian.json("plugin", "publish", "clean.py");
  const shown = await casparian("plugin", "show", "clean");
  expect(shown.stdout).toContain(`publisher    ann@example.org (ann of ${server.issuer})`);
  expect(await casparian.json("whoami")).toMatchObject({ identity: { subject: "ann", email: "ann@example.org" } });

  const [file] = readdirSync(join(home, "config/casparian/sign-in"));
  const tokens = JSON.parse(readFileSync(join(home, "config/casparian/sign-in", file!), "utf8")) as {
    idToken: string;
    refreshToken: string;
  };
  const said = [done.stdout, done.stderr, shown.stdout, await dumpText(db)].join("\n");
  for (const secret of [tokens.refreshToken, tokens.idToken, tokens.idToken.split(".")[2]!]) expect(said).not.toContain(secret);
  expect((await casparian("logout")).stdout).toBe("Signed out");
});
