import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noGrants, type PluginGrants } from "../../domain/plugin-grant.ts";
import { makeBareEnvironment } from "./bare-environment.ts";
import { createRunner, textOf } from "./run-plugin.ts";

const runner = createRunner();
const environment = makeBareEnvironment();
const folder = realpathSync(mkdtempSync(join(tmpdir(), "cf-grants-")));
const granted = join(folder, "granted");
const files = [join(granted, "below", "a.txt"), join(folder, "b.txt")];
const servers: Server[] = [];
const peers: string[] = [];
let port = 0;
let otherPort = 0;

beforeAll(async () => {
  mkdirSync(join(granted, "below"), { recursive: true });
  for (const file of files) writeFileSync(file, "words");
  for (const answer of ["one", "other"]) {
    const server = createServer((request, response) => {
      peers.push(request.headers.host ?? "none");
      response.end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    servers.push(server);
  }
  [port = 0, otherPort = 0] = servers.map((server) => (server.address() as AddressInfo).port);
});

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
  environment.remove();
});

async function reach(hosts: readonly (readonly [string, number])[], grants: PluginGrants): Promise<Readonly<Record<string, string>>> {
  const input = JSON.stringify({ files, hosts });
  const { logs } = await runner.run({ plugin: "uses_grants", input, grants, python: environment.python });
  return JSON.parse(textOf(logs, "stdout")) as Record<string, string>;
}

const never = {
  write: /^refused/,
  "send over UDP": /^refused: Perm/,
  "connect to a Unix socket": /^refused: Perm/,
  listen: /^refused: Perm/,
};

test("without grants nothing is reached", async () => {
  const told = await reach([["127.0.0.1", port]], noGrants);
  expect(Object.values(told).filter((outcome) => !outcome.startsWith("refused"))).toEqual([]);
  expect(peers).toEqual([]);
});

test("a granted folder is read with all that is below it, and nothing is written to it", async () => {
  const told = await reach([], { read: [granted], hosts: [] });
  expect(told[`read ${files[0]}`]).toBe("words");
  expect(told[`read ${files[1]}`]).toBe("refused: PermissionError");
  for (const [attempt, outcome] of Object.entries(never)) expect(told[attempt]).toMatch(outcome);
});

test.each([["localhost"], ["127.0.0.1"], [hostname()]])("the granted port of %s is reached, and no other port or host", async (name) => {
  const grants = { read: [], hosts: [`${name}:${port}`] };
  const told = await reach([[name, port]], grants);
  expect([told[`fetch ${name}`], told[`converse with ${name}`]]).toEqual(["one", "one"]);
  for (const [attempt, outcome] of Object.entries(never)) expect(told[attempt]).toMatch(outcome);
  const beside = await reach(
    [
      [name, otherPort],
      ["127.0.0.9", port],
      ["192.0.2.1", port],
      ["somewhere.example", port],
    ],
    grants,
  );
  expect(Object.values(beside).filter((outcome) => !outcome.startsWith("refused"))).toEqual([]);
});

test("one host granted under two names is reached", async () => {
  const told = await reach([["localhost", port]], { read: [], hosts: [`localhost:${port}`, `127.0.0.1:${port}`] });
  expect(told["fetch localhost"]).toBe("one");
});

test("large answers come whole, and a host that is not there is a connection that is lost", async () => {
  const source = [
    "import socket, urllib.request",
    "class Handler:",
    "    def execute(self, file_path):",
    "        where = open(file_path).read()",
    "        try:",
    "            print(len(urllib.request.urlopen(where, timeout=10).read()))",
    "        except OSError as error:",
    "            print(type(getattr(error, 'reason', error)).__name__)",
  ].join("\n");
  const large = createServer((_request, response) => void response.end(Buffer.alloc(50_000_000)));
  await new Promise<void>((resolve) => large.listen(0, "127.0.0.1", resolve));
  const at = (large.address() as AddressInfo).port;
  const request = {
    source,
    input: `http://localhost:${at}/`,
    grants: { read: [], hosts: [`localhost:${at}`] },
    python: environment.python,
  };
  const run = async () => textOf((await runner.run(request)).logs, "stdout");
  expect(await run()).toBe("50000000\n");
  await new Promise((resolve) => large.close(resolve));
  expect(await run()).toMatch(/^(ConnectionResetError|RemoteDisconnected)\n$/);
});
