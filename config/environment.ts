import { WrongUse } from "../domain/failure.ts";
import { closest } from "../domain/suggest.ts";

const prefix = "CASPARIAN_";

const known = [
  "CASPARIAN_HOME",
  "CASPARIAN_DATABASE_URL",
  "CASPARIAN_TEMPORAL_ADDRESS",
  "CASPARIAN_TEMPORAL_NAMESPACE",
  "CASPARIAN_CONCURRENCY",
  "CASPARIAN_LOG_LEVEL",
  "CASPARIAN_PYTHON",
  "CASPARIAN_TOOLS_DIR",
  "CASPARIAN_KEYS",
  "CASPARIAN_KEY_PASSPHRASE",
] as const;

/**
 * The variables that are set to something; an empty one counts as not set. Throws WrongUse for a `CASPARIAN_` variable that is nearly one of ours:
 * a typing error would otherwise do nothing in silence. Others may belong to somebody's scripts.
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === "") continue;
    if (name.startsWith(prefix) && !/^CASPARIAN_CONNECTION_[A-Z]/.test(name)) requireKnown(name);
    set[name] = value;
  }
  return set;
}

function requireKnown(name: string): void {
  if (known.some((variable) => variable === name)) return;
  const meant = closest(
    name.slice(prefix.length),
    known.map((variable) => variable.slice(prefix.length)),
  );
  if (meant !== null)
    throw new WrongUse(`unknown environment variable ${name}, did you mean ${prefix}${meant}?`, `Known ones are ${known.join(", ")}`);
}
