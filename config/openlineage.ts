import { resolve } from "node:path";
import { WrongUse } from "../domain/failure.ts";
import type { OpenLineageSettings } from "../domain/openlineage.ts";
import { safeUrl } from "../domain/safe-url.ts";
import type { FileSettings } from "./file.ts";

const usualEndpoint = "api/v1/lineage";

/**
 * OPENLINEAGE_URL, OPENLINEAGE_ENDPOINT, OPENLINEAGE_API_KEY, OPENLINEAGE_NAMESPACE and OPENLINEAGE_DISABLED mean what they mean to OpenLineage's own
 * clients, and beat the file. A key that the file names is not sent to a URL of the environment. Throws WrongUse.
 */
export function openLineageSettings(
  env: Readonly<Record<string, string>>,
  file: FileSettings["openlineage"],
  home: string,
): OpenLineageSettings {
  const namespace = env["OPENLINEAGE_NAMESPACE"] ?? file.namespace ?? "casparian";
  return { namespace, sourceCode: file.source_code ?? false, destination: destinationOf(env, file, home) };
}

function destinationOf(
  env: Readonly<Record<string, string>>,
  file: FileSettings["openlineage"],
  home: string,
): OpenLineageSettings["destination"] {
  if (env["OPENLINEAGE_DISABLED"]?.toLowerCase() === "true") return null;
  const fromEnvironment = env["OPENLINEAGE_API_KEY"] === undefined ? null : { environment: "OPENLINEAGE_API_KEY" };
  const url = env["OPENLINEAGE_URL"];
  if (url !== undefined) {
    return { kind: "http", url: endpointOf(url, "OPENLINEAGE_URL", env["OPENLINEAGE_ENDPOINT"]), apiKey: fromEnvironment };
  }
  refuseBoth(file, "url", "file", "Events go to one place");
  refuseBoth(file, "api_key_env", "api_key_file", "The key is in one place");
  if (file.file !== undefined) return { kind: "file", path: resolve(home, file.file) };
  if (file.url === undefined) return null;
  const named =
    file.api_key_env === undefined
      ? file.api_key_file === undefined
        ? null
        : { file: resolve(home, file.api_key_file) }
      : { environment: file.api_key_env };
  return { kind: "http", url: endpointOf(file.url, "[openlineage] url"), apiKey: named ?? fromEnvironment };
}

function refuseBoth(file: FileSettings["openlineage"], one: keyof typeof file, other: keyof typeof file, why: string): void {
  if (file[one] === undefined || file[other] === undefined) return;
  throw new WrongUse(`casparian.toml has both openlineage.${one} and openlineage.${other}`, `${why}: remove one of them`);
}

/** The URL of a server alone stands for its usual endpoint. */
function endpointOf(text: string, name: string, endpoint = usualEndpoint): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new WrongUse(`${name}: "${safeUrl(text)}" is not the URL of a server`, "Give it as https://lineage.example/api/v1/lineage");
  if (url.username !== "" || url.password !== "")
    throw new WrongUse(
      `${name}: "${safeUrl(text)}" holds a user or password`,
      "Leave them out, and name the variable or the file that holds the API key: [openlineage] api_key_env or api_key_file",
    );
  if (url.pathname === "/") url.pathname = endpoint;
  return url.href;
}
