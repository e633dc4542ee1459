import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openConnections } from "../../config/connections.ts";
import { readSettings } from "../../config/settings.ts";
import type { Connections } from "../../domain/connection.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "casparian-connections-"));
});
afterEach(() => rm(home, { recursive: true }));

async function connections(toml: string, env: NodeJS.ProcessEnv = {}): Promise<Connections> {
  await writeFile(join(home, "casparian.toml"), toml);
  const settings = readSettings({ home, env });
  expect(JSON.stringify(settings)).not.toContain("secret");
  return openConnections(settings.connections, env);
}

test("a URL in the file takes its password from a variable or a file, read when it is used", async () => {
  await writeFile(join(home, "password"), "secret one\n");
  const found = await connections(
    `[connections.lake]
     url = "postgres://ann@db:5432/lake"
     password_file = "password"
     [connections.shop]
     url = "postgres://ann@db/shop"
     password_env = "SHOP_PASSWORD"
     [connections.open]
     url = "postgres://ann@db/open"`,
    { SHOP_PASSWORD: "secret two" },
  );
  expect(found.names).toEqual(["lake", "shop", "open"]);
  expect(found.find("lake")).toEqual({ name: "lake", url: "postgres://ann@db:5432/lake", password: "secret one" });
  await writeFile(join(home, "password"), "secret three");
  expect(found.find("lake").password).toBe("secret three");
  expect(found.find("shop").password).toBe("secret two");
  expect(found.find("open").password).toBeNull();
});

test("a whole URL may be in a variable or a file, and its password is taken out of it", async () => {
  await writeFile(join(home, "url"), "postgres://ann:secret%2F1@db/lake\n");
  const found = await connections(`[connections.a]\nurl_file = "url"\n[connections.b]\nurl_env = "B_URL"`, {
    B_URL: "postgres://ann:secret@db/b?sslmode=require",
  });
  expect(found.find("a")).toEqual({ name: "a", url: "postgres://ann@db/lake", password: "secret/1" });
  expect(found.find("b")).toEqual({ name: "b", url: "postgres://ann@db/b?sslmode=require", password: "secret" });
});

test("the environment alone makes a connection, and beats the file", async () => {
  const env = { CASPARIAN_CONNECTION_DATA_LAKE: "postgres://env:secret@db/lake", CASPARIAN_CONNECTION_MSSQL: "mssql://sa:secret@db/shop" };
  const found = await connections(`[connections.data-lake]\nurl = "postgres://file@db/lake"`, env);
  expect(found.names).toEqual(["data-lake", "mssql"]);
  expect(found.find("data-lake")).toMatchObject({ url: "postgres://env@db/lake", password: "secret" });
  expect(found.find("mssql")).toEqual({ name: "mssql", url: "mssql://sa@db/shop", password: "secret" });
});

test("what is not there is named with where it was looked for", async () => {
  const found = await connections(
    `[connections.lake]\nurl = "postgres://ann@db/lake"\npassword_env = "LAKE_PASSWORD"\n[connections.file]\nurl_file = "none"`,
  );
  expect(() => found.find("lake")).toThrow("the password of connection lake is to be in the variable LAKE_PASSWORD, which is not there");
  expect(() => found.find("file")).toThrow(`the URL of connection file is to be in the file ${join(home, "none")}, which is not there`);
  expect(() => found.find("lakes")).toThrow(`no connection is named "lakes", did you mean lake?`);
});

test.each([
  [
    `[connections.lake]\nurl = "postgres://ann:secret@db/lake"`,
    "connections.lake.url in casparian.toml holds a password: postgres://ann:***@db/lake",
  ],
  [`[connections.lake]\npassword_env = "P"`, "connections.lake in casparian.toml has no URL"],
  [`[connections.lake]\nurl = "postgres://db/a"\nurl_env = "U"`, "connections.lake in casparian.toml has several URLs"],
  [
    `[connections.lake]\nurl = "postgres://db/a"\npassword_env = "P"\npassword_file = "p"`,
    "connections.lake in casparian.toml has two passwords",
  ],
  [`[connections."my lake"]\nurl = "postgres://db/a"`, `"my lake" can't be the name of a connection`],
  [
    `[connections.lake]\nurl = "postgres://db/a"\npasword_env = "P"`,
    "unknown key connections.lake.pasword_env, did you mean password_env?",
  ],
  [`[connections.lake]\nurl = 3`, "connections.lake.url must be a text in quotes, and is 3"],
])("%j is refused", async (toml, message) => {
  await expect(connections(toml)).rejects.toThrow(message);
  await expect(connections(toml)).rejects.not.toThrow(/secret/);
});
