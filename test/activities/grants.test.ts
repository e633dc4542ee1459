import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { grantToPlugin, revokeFromPlugin } from "../../control/grant-plugin.ts";
import { listPlugins, showPlugin } from "../../control/list-plugins.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";

let fixture: JobFixture;
let folder: string;
let files = 0;
const server = createServer((socket) => socket.end("from the host"));
beforeAll(async () => {
  fixture = await createJobFixture();
  folder = join(fixture.folder, "reference");
  await mkdir(folder);
  await writeFile(join(folder, "a.txt"), "from the folder");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  server.close();
  await fixture?.[Symbol.asyncDispose]();
});

const context = () => ({ db: fixture.database.db, actor: "ann@desk", temporal: null });

function act<A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> {
  return new MockActivityEnvironment().run(activity, input);
}

/** What the plugin's next job says. */
async function run(name: string): Promise<string> {
  const fileVersionId = await fixture.record(`${(files += 1)}.${name}`, "x");
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
  const jobId = jobs[0]!.jobId;
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  const { rows } = await fixture.database.db.query<{ text: string }>("select text from cf_job_log where job_id = $1 order by sequence", [
    jobId,
  ]);
  return rows.map(({ text }) => text).join("");
}

test("what is granted holds for the next job, is shown and audited, and ends when it is revoked", async () => {
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  await fixture.publish("uses", pluginReaching(join(folder, "a.txt"), host), "*.uses");
  expect(await run("uses")).toBe("PermissionError\ngaierror\n");

  const granted = await grantToPlugin(context(), "uses", { read: [folder], hosts: [host] }, "/nowhere");
  expect(granted.changed).toEqual([
    { kind: "READ", target: folder },
    { kind: "HOST", target: host },
  ]);
  expect((await grantToPlugin(context(), "uses", { read: [folder], hosts: [] }, "/nowhere")).changed).toEqual([]);
  expect(await run("uses")).toBe("from the folder\nfrom the host\n");
  const shown = [(await showPlugin(context(), "uses")).grants, (await listPlugins(context()))[0]?.grants];
  for (const grants of shown)
    expect(grants?.map(({ target, grantedBy }) => [target, grantedBy])).toEqual([
      [folder, "ann@desk"],
      [host, "ann@desk"],
    ]);

  await revokeFromPlugin(context(), "uses", { read: [], hosts: [host] });
  expect((await showPlugin(context(), "uses")).grants.map(({ target }) => target)).toEqual([folder]);
  await revokeFromPlugin(context(), "uses", "all");
  expect(await run("uses")).toBe("PermissionError\ngaierror\n");

  const { rows } = await fixture.database.db.query("select actor, action, detail from cf_audit where subject = 'uses' order by id");
  expect(rows).toEqual([
    { actor: "ann@desk", action: "plugin.grant", detail: { kind: "READ", target: folder } },
    { actor: "ann@desk", action: "plugin.grant", detail: { kind: "HOST", target: host } },
    { actor: "ann@desk", action: "plugin.revoke", detail: { kind: "HOST", target: host } },
    { actor: "ann@desk", action: "plugin.revoke", detail: { kind: "READ", target: folder } },
  ]);
});

test("what can't be granted or was not granted is said", async () => {
  await fixture.publish("other", pluginReaching("/x", "x:1"), "*.other");
  const grant = (grants: { readonly read?: readonly string[]; readonly hosts?: readonly string[] }, plugin = "other") =>
    grantToPlugin(context(), plugin, { read: [], hosts: [], ...grants }, "/home/ann/.casparian");
  await expect(grant({ read: ["/home/ann"] })).rejects.toThrow("it holds, or is part of, /home/ann/.casparian");
  await expect(grant({ read: ["/home/ann/.casparian/secrets"] })).rejects.toThrow("secrets are");
  await expect(grant({ read: ["/"] })).rejects.toThrow("/ can't be granted");
  const home = join(fixture.folder, "home");
  await mkdir(join(home, ".casparian"), { recursive: true });
  await symlink(home, join(fixture.folder, "link"));
  const byLink = grantToPlugin(context(), "other", { read: [home], hosts: [] }, join(fixture.folder, "link", ".casparian"));
  await expect(byLink).rejects.toThrow("where this home's secrets are");
  await expect(grant({ read: ["data"] })).rejects.toThrow('"data" is no absolute path of a folder');
  for (const host of ["db.example", "db.example:0", "db.example:70000", "http://db:80", "[::1]:80", "a b:80"])
    await expect(grant({ hosts: [host] })).rejects.toThrow(`"${host}" is no host and port`);
  await expect(grant({ read: ["/data"] }, "othr")).rejects.toMatchObject({ hint: "Did you mean other?" });
  await expect(revokeFromPlugin(context(), "other", { read: ["/data"], hosts: [] })).rejects.toThrow("/data is not granted to other");
  expect((await showPlugin(context(), "other")).grants).toEqual([]);
});

function pluginReaching(file: string, host: string): string {
  const [name, port] = host.split(":");
  return `
import socket

def from_host():
    with socket.create_connection((${JSON.stringify(name)}, ${port}), 5) as server:
        return server.recv(100).decode()

class Handler:
    def execute(self, file_path):
        for attempt in (lambda: open(${JSON.stringify(file)}).read(), from_host):
            try:
                print(attempt())
            except OSError as error:
                print(type(error).__name__)
`;
}
