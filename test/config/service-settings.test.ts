import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { settingsHome } from "./settings-home.ts";

const { home, read, refusal } = settingsHome();

describe("Temporal's own settings", () => {
  test("its variables lead to an external server with key and encryption", async () => {
    const env = { TEMPORAL_ADDRESS: "cloud.example:7233", TEMPORAL_NAMESPACE: "mine", TEMPORAL_API_KEY: "key" };
    expect((await read(undefined, env)).temporal).toEqual({
      kind: "external",
      address: "cloud.example:7233",
      namespace: "mine",
      connection: { apiKey: "key", tls: true },
    });
  });

  test("certificates are read", async () => {
    await writeFile(join(home, "client.pem"), "certificate");
    await writeFile(join(home, "client.key"), "key");
    const env = {
      TEMPORAL_ADDRESS: "temporal.example:7233",
      TEMPORAL_TLS_CLIENT_CERT_PATH: join(home, "client.pem"),
      TEMPORAL_TLS_CLIENT_KEY_PATH: join(home, "client.key"),
      TEMPORAL_TLS_SERVER_NAME: "other.example",
    };
    const { temporal } = await read(undefined, env);
    expect(temporal).toMatchObject({ connection: { tls: { serverNameOverride: "other.example" } } });
    if (temporal.kind !== "external" || typeof temporal.connection.tls !== "object") throw new Error("no encryption");
    expect(Buffer.from(temporal.connection.tls?.clientCertPair?.crt ?? []).toString()).toBe("certificate");
  });

  test("a certificate that isn't there is said", async () => {
    const env = { TEMPORAL_ADDRESS: "temporal.example:7233", TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(home, "missing.pem") };
    expect((await refusal(undefined, env)).message).toContain("missing.pem");
  });

  test("a profile counts when it is asked for", async () => {
    const file = join(home, "temporal.toml");
    await writeFile(file, '[profile.staging]\naddress = "staging.example:7233"\nnamespace = "staging"\n');
    const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: "staging" };
    expect((await read(undefined, env)).temporal).toMatchObject({ address: "staging.example:7233", namespace: "staging" });
    expect((await refusal(undefined, { ...env, TEMPORAL_PROFILE: "other" })).message).toContain("other");
  });

  test("ours beats it", async () => {
    const env = { TEMPORAL_ADDRESS: "theirs:7233", CASPARIAN_TEMPORAL_ADDRESS: "ours:7233" };
    expect((await read(undefined, env)).temporal).toMatchObject({ address: "ours:7233" });
  });
});

describe("OpenLineage", () => {
  const place = async (toml: string | undefined, env: NodeJS.ProcessEnv = {}) => (await read(toml, env)).openLineage;

  test("goes to the endpoint that the file names, with a key that is named and not held", async () => {
    expect(
      await place('[openlineage]\nurl = "https://l.example/api/v1/lineage"\nnamespace = "prod"\napi_key_env = "KEY"\nsource_code = true'),
    ).toEqual({
      namespace: "prod",
      sourceCode: true,
      destination: { kind: "http", url: "https://l.example/api/v1/lineage", apiKey: { environment: "KEY" } },
    });
    expect(
      await place('[openlineage]\nurl = "https://l.example/x"\napi_key_file = "secret/key"', { OPENLINEAGE_API_KEY: "hidden" }),
    ).toMatchObject({
      destination: { apiKey: { file: join(home, "secret/key") } },
    });
    expect(await place('[openlineage]\nfile = "lineage.jsonl"')).toMatchObject({
      destination: { kind: "file", path: join(home, "lineage.jsonl") },
    });
  });

  test("obeys the variables of OpenLineage's own clients, and never sends the file's key to another server", async () => {
    const toml = '[openlineage]\nurl = "https://file.example/x"\napi_key_env = "KEY"';
    expect(await place(toml, { OPENLINEAGE_URL: "http://env.example:5000", OPENLINEAGE_NAMESPACE: "env" })).toEqual({
      namespace: "env",
      sourceCode: false,
      destination: { kind: "http", url: "http://env.example:5000/api/v1/lineage", apiKey: null },
    });
    const settings = await place(undefined, {
      OPENLINEAGE_URL: "http://env.example",
      OPENLINEAGE_ENDPOINT: "api/v2/events",
      OPENLINEAGE_API_KEY: "hidden",
    });
    expect(settings.destination).toEqual({
      kind: "http",
      url: "http://env.example/api/v2/events",
      apiKey: { environment: "OPENLINEAGE_API_KEY" },
    });
    expect(await place(toml, { OPENLINEAGE_DISABLED: "True" })).toMatchObject({ destination: null });
  });

  test.each([
    ['url = "ftp://x"', /\[openlineage\] url: "ftp:\/\/x" is not the URL of a server/],
    ['url = "https://me:hidden-word@x/"', /"https:\/\/me:\*\*\*@x\/" holds a user or password/],
    ['url = "https://x"\nfile = "y"', /both openlineage\.url and openlineage\.file/],
    ['url = "https://x"\napi_key_env = "A"\napi_key_file = "b"', /both openlineage\.api_key_env and openlineage\.api_key_file/],
    ['api_key = "hidden-word"', /unknown key openlineage\.api_key$/],
  ])("%s is refused", async (toml, message) => {
    const error = await refusal(`[openlineage]\n${toml}`);
    expect(error.message).toMatch(message);
    expect(`${error.message} ${error.hint}`).not.toContain("hidden-word");
  });
});
