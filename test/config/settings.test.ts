import { rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSettings, type Flags } from "../../config/settings.ts";
import { settingsHome } from "./settings-home.ts";

const { home, read, refusal } = settingsHome();

test("a home without a file has all defaults, frozen", async () => {
  const settings = await read(undefined);
  expect(settings).toEqual({
    home,
    stateDir: join(home, ".casparian"),
    database: { kind: "embedded" },
    temporal: { kind: "embedded" },
    worker: { concurrency: availableParallelism(), groups: [], warmMemoryMb: expect.any(Number) as number },
    connections: [],
    limits: { pluginSeconds: 3600, pluginMemoryMb: 2048, pluginScratchMb: 10_240, logBytes: 1_048_576 },
    python: { allowDownloads: true, allowBuilds: false, environmentsMbMax: 20_000 },
    plugins: {
      requireComparison: false,
      requireSignature: false,
      trustedKeys: join(home, "trusted-keys"),
      sandbox: "on",
      gatekeeper: { mode: "warn", allow: [], vulnerabilityService: undefined },
      signIn: null,
    },
    bridge: { transport: "unix" },
    runners: { listen: undefined, trusted: join(home, "trusted-runners") },
    openLineage: { namespace: "casparian", sourceCode: false, destination: null },
    logLevel: "info",
  });
  expect(Object.isFrozen(settings)).toBe(true);
  expect(Object.isFrozen(settings.limits)).toBe(true);
});

test("every key of the file counts", async () => {
  const settings = await read(`
    [database]
    port = 5433
    [temporal]
    port = 7234
    ui_port = 8234
    [worker]
    concurrency = 7
    warm_memory_mb = 900
    groups = ["nas", "lab", "nas"]
    [limits]
    plugin_seconds = 10
    plugin_memory_mb = 256
    plugin_scratch_mb = 64
    log_bytes = 1000
    [python]
    interpreter = "tools/python3"
    environments_mb_max = 500
    allow_downloads = false
    allow_builds = true
    [plugins]
    require_signature = true
    gatekeeper = "refuse"
    gatekeeper_allow = ["network", "compiled"]
    vulnerability_service = "https://osv.example.com"
    trusted_keys = "../keys"
    sandbox = "require"
    [log]
    level = "warn"`);
  expect(settings).toMatchObject({
    database: { kind: "embedded", port: 5433 },
    temporal: { kind: "embedded", port: 7234, uiPort: 8234 },
    worker: { concurrency: 7, groups: ["nas", "lab"], warmMemoryMb: 900 },
    limits: { pluginSeconds: 10, pluginMemoryMb: 256, pluginScratchMb: 64, logBytes: 1000 },
    python: { interpreter: join(home, "tools/python3"), allowDownloads: false, allowBuilds: true, environmentsMbMax: 500 },
    plugins: {
      requireSignature: true,
      trustedKeys: join(home, "../keys"),
      sandbox: "require",
      gatekeeper: { mode: "refuse", allow: ["network", "compiled"], vulnerabilityService: "https://osv.example.com" },
    },
    logLevel: "warn",
  });
});

test("who must sign in to publish", async () => {
  const read1 = async (signIn: string) => (await read(`[plugins]\nsign_in = { ${signIn} }`)).plugins.signIn;
  expect(await read1('issuer = "https://login.example.org/t", client_id = "casparian"')).toEqual({
    issuer: "https://login.example.org/t",
    clientId: "casparian",
    scopes: "openid profile email offline_access",
    audience: null,
    claim: "email",
    allow: null,
  });
  expect(await read1('issuer = "http://127.0.0.1:9", client_id = "c", claim = "groups", allow = ["x"], audience = "api"')).toMatchObject({
    claim: "groups",
    allow: ["x"],
    audience: "api",
  });
  const wrong = ['client_id = "c"', 'issuer = "http://login.example.org", client_id = "c"', 'issuer = "https://u:p@x", client_id = "c"'];
  for (const signIn of [
    ...wrong,
    'issuer = "https://x", client_id = "c", scopes = "email"',
    'issuer = "https://x", client_id = "c", allow = []',
  ])
    expect((await refusal(`[plugins]\nsign_in = { ${signIn} }`)).message).toMatch(/sign_in/);
  expect((await refusal('[plugins]\nsign_in = { issuer = "https://u:s3cret@x", client_id = "c" }')).message).not.toContain("s3cret");
});

const told = (who: string, concurrency: number, logLevel: string): object => ({
  database: { kind: "external", url: `postgres://${who}@db/record` },
  temporal: { kind: "external", address: `${who}:7233`, namespace: who },
  worker: { concurrency },
  logLevel,
});

describe("flags beat the environment, the environment beats the file", () => {
  const toml = `
    [database]
    url = "postgres://file@db/record"
    [temporal]
    address = "file:7233"
    namespace = "file"
    [worker]
    concurrency = 1
    [log]
    level = "error"`;
  const env = {
    CASPARIAN_DATABASE_URL: "postgres://env@db/record",
    CASPARIAN_TEMPORAL_ADDRESS: "env:7233",
    CASPARIAN_TEMPORAL_NAMESPACE: "env",
    CASPARIAN_CONCURRENCY: "2",
    CASPARIAN_LOG_LEVEL: "WARN",
  };
  const flags: Flags = {
    database: "postgres://flag@db/record",
    temporal: "flag:7233",
    namespace: "flag",
    concurrency: "3",
    logLevel: "debug",
  };
  test("the file alone", async () => expect(await read(toml)).toMatchObject(told("file", 1, "error")));
  test("the environment over the file", async () => expect(await read(toml, env)).toMatchObject(told("env", 2, "warn")));
  test("flags over both", async () => expect(await read(toml, env, flags)).toMatchObject(told("flag", 3, "debug")));
  test("groups that are given take the place of the file's", async () => {
    const settings = await read('[worker]\ngroups = ["nas"]', {}, { groups: ["lab"] });
    expect(settings.worker.groups).toEqual(["lab"]);
  });
  test("embedded can be asked for against both", async () => {
    const settings = await read(toml, env, { database: "embedded", temporal: "embedded" });
    expect([settings.database.kind, settings.temporal.kind]).toEqual(["embedded", "embedded"]);
  });
  test("an empty variable is none", async () =>
    expect(await read(toml, { CASPARIAN_DATABASE_URL: "" })).toMatchObject(told("file", 1, "error")));
});

test("the home comes from the environment when it isn't given", async () => {
  await writeFile(join(home, "casparian.toml"), "[worker]\nconcurrency = 5\n");
  expect(readSettings({ env: { CASPARIAN_HOME: home } })).toMatchObject({ home, worker: { concurrency: 5 } });
});

describe("what is wrong is said with what would be right", () => {
  test.each([
    ['[database]\nulr = "embedded"', /unknown key database\.ulr, did you mean url\?/, /url, port/],
    ["[databse]\nport = 1", /unknown key databse, did you mean database\?/, /database, temporal/],
    ["[database]\nui_port = 1", /unknown key database\.ui_port/, /\[temporal\]/],
    ["[database]\nsomething = 1", /unknown key database\.something$/, /url, port/],
    ["concurrency = 4", /unknown key concurrency$/, /\[worker\]/],
    ['database = "embedded"', /database must be a table: \[database\], and is "embedded"/, /^$/],
    ["[database]\nport = 99999", /database\.port must be a port from 1 to 65535, and is 99999/, /^$/],
    ['[temporal]\nui_port = "8233"', /temporal\.ui_port must be a port .* and is "8233"/, /^$/],
    ["[worker]\nconcurrency = 0", /worker\.concurrency must be a whole number above 0, and is 0/, /^$/],
    ['[worker]\ngroups = "nas"', /worker\.groups must be names in a list, and is "nas"/, /^$/],
    ['[worker]\ngroups = ["a b"]', /"a b" can't be the name of a group of workers/, /letters, digits/],
    ["[python]\nallow_downloads = 1", /python\.allow_downloads must be true or false, and is 1/, /^$/],
    ['[plugins]\ngatekeeper = "maybe"', /plugins\.gatekeeper must be one of off, warn, refuse, and is "maybe"/, /^$/],
    ['[plugins]\ngatekeeper_allow = ["net"]', /plugins\.gatekeeper_allow\.0 must be one of network, process, .*, and is "net"/, /^$/],
    ['[plugins]\nvulnerability_service = "osv"', /plugins\.vulnerability_service must be a URL, or "off", and is "osv"/, /^$/],
    ['[log]\nlevel = "loud"', /log\.level must be one of debug, info, warn, error, and is "loud"/, /^$/],
    ["[database\n", /casparian\.toml, line 1.*not TOML/, /^$/],
    ['[database]\nurl = "mysql://db"', /"mysql:\/\/db" is not the URL of a PostgreSQL database/, /postgres:\/\/user:password@host/],
    ['[temporal]\naddress = "temporal.example"', /"temporal\.example" is not the address/, /temporal\.example:7233/],
  ])("%s", async (toml, message, hint) => {
    const error = await refusal(toml);
    expect(error.message).toMatch(message);
    expect(error.hint ?? "").toMatch(hint);
  });

  test("a password is never part of it", async () => {
    const error = await refusal(undefined, { CASPARIAN_DATABASE_URL: "mysql://me:hidden-word@db/record" });
    expect(error.message).not.toContain("hidden-word");
    const misspelt = await refusal('[database]\nurl = ["postgres://me:hidden-word@db/record"]');
    expect(misspelt.message).not.toContain("hidden-word");
  });

  test("a misspelt variable", async () => {
    expect((await refusal(undefined, { CASPARIAN_DATABSE_URL: "x" })).message).toBe(
      "unknown environment variable CASPARIAN_DATABSE_URL, did you mean CASPARIAN_DATABASE_URL?",
    );
  });

  test("somebody's own variable is left alone", async () => {
    expect((await read(undefined, { CASPARIAN_BACKUP_TARGET_BUCKET: "x" })).database).toEqual({ kind: "embedded" });
  });

  test.each([
    ["concurrency", { concurrency: "many" }, /"many" is not a number of plugins/],
    ["temporal", { temporal: "here" }, /"here" is not the address/],
    ["database", { database: "record.db" }, /"record\.db" is not the URL/],
  ])("a flag: %s", async (_, flags, message) => expect((await refusal(undefined, {}, flags)).message).toMatch(message));
});

describe("the old product's file", () => {
  test("is answered with what to write instead", async () => {
    await writeFile(join(home, "global_config.toml"), '[database]\ndb_location = "/data/casparian.sqlite3"\n');
    const error = await refusal(undefined);
    expect(error.message).toContain('db_location = "/data/casparian.sqlite3"');
    expect(error.hint).toContain('[database]\nurl = "embedded"');
  });

  test("with a PostgreSQL URL keeps that", async () => {
    await writeFile(join(home, "global_config.toml"), 'db_location = "postgresql://me:hidden-word@db/record"\n');
    const error = await refusal(undefined);
    expect(error.hint).toContain('url = "postgresql://me:***@db/record"');
    expect(error.message).not.toContain("hidden-word");
  });

  test("is ignored once there is a new one, or when it says nothing of the database", async () => {
    await writeFile(join(home, "global_config.toml"), 'db_location = "x"\n');
    expect((await read("")).database).toEqual({ kind: "embedded" });
    await rm(join(home, "casparian.toml"));
    await writeFile(join(home, "global_config.toml"), 'theme = "dark"\n');
    expect((await read(undefined)).database).toEqual({ kind: "embedded" });
  });
});
