import { loadClientConnectConfig, type ClientConnectConfig } from "@temporalio/envconfig";
import { messageOf, WrongUse } from "../domain/failure.ts";
import type { FileSettings } from "./file.ts";

export type TemporalSettings =
  | { readonly kind: "embedded"; readonly port?: number | undefined; readonly uiPort?: number | undefined }
  | {
      readonly kind: "external";
      /** `host:port` of the frontend. */
      readonly address: string;
      readonly namespace: string;
      /** Of the Web UI, for people. */
      readonly uiUrl?: string | null | undefined;
      /** TLS, API key and metadata; for the worker's connection and the client's alike. */
      readonly connection: Pick<ClientConnectConfig["connectionOptions"], "tls" | "apiKey" | "metadata">;
    };

export interface TemporalWishes {
  readonly address?: string | undefined;
  readonly namespace?: string | undefined;
}

/**
 * Which Temporal is used: the flags' wish, then CASPARIAN_TEMPORAL_ADDRESS, then Temporal's own environment, then the file, then the embedded one.
 *
 * Temporal's own variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…) are read as its command line reads them. Its
 * configuration file counts only when TEMPORAL_PROFILE or TEMPORAL_CONFIG_FILE asks for it: a default profile may belong to another server,
 * which must not lead to its key being sent to ours.
 */
export function temporalSettings(
  flags: TemporalWishes,
  env: Readonly<Record<string, string>>,
  file: FileSettings["temporal"],
): TemporalSettings {
  const own = readOwn(env);
  const address = flags.address ?? env["CASPARIAN_TEMPORAL_ADDRESS"] ?? own.connectionOptions.address ?? file.address ?? "embedded";
  if (address === "embedded") return { kind: "embedded", port: file.port, uiPort: file.ui_port };
  if (!/^([^\s/:]+|\[[0-9a-f:]+\]):\d+$/i.test(address)) {
    throw new WrongUse(
      `"${address}" is not the address of a Temporal server`,
      `Give it as host:port, such as temporal.example:7233, or as "embedded"`,
    );
  }
  const { tls, apiKey, metadata } = own.connectionOptions;
  return {
    kind: "external",
    address,
    namespace: flags.namespace ?? env["CASPARIAN_TEMPORAL_NAMESPACE"] ?? own.namespace ?? file.namespace ?? "default",
    uiUrl: file.ui_url,
    connection: {
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

function readOwn(env: Readonly<Record<string, string>>): ClientConnectConfig {
  const disableFile = env["TEMPORAL_PROFILE"] === undefined && env["TEMPORAL_CONFIG_FILE"] === undefined;
  try {
    return loadClientConnectConfig({ overrideEnvVars: { ...env }, disableFile });
  } catch (error) {
    throw new WrongUse(`Temporal's own settings (TEMPORAL_…) can't be used: ${messageOf(error)}`);
  }
}
