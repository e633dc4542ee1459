import { resolve } from "node:path";
import { connectionVariable, isConnectionName, unknown, type Connection, type Connections } from "../domain/connection.ts";
import { TerminalFailure, WrongUse } from "../domain/failure.ts";
import { safeUrl } from "../domain/safe-url.ts";
import type { FileSettings } from "./file.ts";
import { readIfThere } from "./read.ts";

/** Where the parts of a connection are; the secrets themselves are read when they are needed, and kept nowhere. */
export interface ConnectionSettings {
  readonly name: string;
  readonly url: Place;
  /** Null where none is set, or the URL brings its own. */
  readonly password: Place | null;
}

/** A text itself, the variable of the environment that holds it, or the file that does. */
type Place = { readonly text: string } | { readonly variable: string } | { readonly file: string };

/** Throws WrongUse for a connection without a URL or with two, and for a password in the file of settings. */
export function connectionSettings(
  home: string,
  tables: FileSettings["connections"],
  env: Readonly<Record<string, string>>,
): readonly ConnectionSettings[] {
  const inFile = Object.entries(tables).map(([name, table]) => {
    if (!isConnectionName(name))
      throw new WrongUse(`"${name}" can't be the name of a connection`, "Use letters, digits, _ and -, 63 at most, with a letter first");
    // The environment beats the file, for all of the connection: its URL brings its password.
    const variable = connectionVariable(name);
    if (env[variable] !== undefined) return { name, url: { variable }, password: null };
    return fromFile(home, name, table);
  });
  const named = new Set(inFile.map(({ name }) => connectionVariable(name)));
  const inEnvironment = Object.keys(env)
    .filter((variable) => variable.startsWith(connectionVariable("")) && !named.has(variable))
    .map((variable) => ({ name: variable.slice(connectionVariable("").length).toLowerCase(), url: { variable }, password: null }));
  return [...inFile, ...inEnvironment];
}

function fromFile(home: string, name: string, table: FileSettings["connections"][string]): ConnectionSettings {
  const { url, url_env: urlVariable, url_file: urlFile, password_env: passwordVariable, password_file: passwordFile } = table;
  const urls = places(home, url, urlVariable, urlFile);
  const passwords = places(home, undefined, passwordVariable, passwordFile);
  if (urls.length !== 1)
    throw new WrongUse(
      `connections.${name} in casparian.toml has ${urls.length === 0 ? "no URL" : "several URLs"}`,
      `Give one of url = "postgres://user@host:5432/database", url_env, url_file`,
    );
  if (passwords.length > 1)
    throw new WrongUse(`connections.${name} in casparian.toml has two passwords`, "Give password_env or password_file");
  if (url !== undefined && safeUrl(url) !== url)
    throw new WrongUse(
      `connections.${name}.url in casparian.toml holds a password: ${safeUrl(url)}`,
      'Leave it out, and name the variable or the file that holds it: password_env = "…" or password_file = "…"',
    );
  return { name, url: urls[0]!, password: passwords[0] ?? null };
}

function places(home: string, text: string | undefined, variable: string | undefined, file: string | undefined): readonly Place[] {
  return [
    ...(text === undefined ? [] : [{ text }]),
    ...(variable === undefined ? [] : [{ variable }]),
    ...(file === undefined ? [] : [{ file: resolve(home, file) }]),
  ];
}

/** The connections of a process. */
export function openConnections(settings: readonly ConnectionSettings[], env: NodeJS.ProcessEnv = process.env): Connections {
  const names = settings.map(({ name }) => name);
  return {
    names,
    find(asked) {
      const found =
        settings.find(({ name }) => name === asked) ?? settings.find(({ name }) => connectionVariable(name) === connectionVariable(asked));
      if (found === undefined) return unknown(asked, names);
      const { name } = found;
      const url = read(found.url, `the URL of connection ${name}`, env);
      return split({
        name,
        url,
        password: found.password === null ? null : read(found.password, `the password of connection ${name}`, env),
      });
    },
  };
}

function read(place: Place, what: string, env: NodeJS.ProcessEnv): string {
  if ("text" in place) return place.text;
  const found = "variable" in place ? env[place.variable] : readIfThere(place.file)?.replace(/\r?\n$/, "");
  if (found !== undefined && found !== "") return found;
  const where = "variable" in place ? `the variable ${place.variable}` : `the file ${place.file}`;
  throw new TerminalFailure({
    code: "CONNECTION_SECRET",
    message: `${what} is to be in ${where}, which is ${found === undefined ? "not there" : "empty"}`,
    hint: `Set it where the workers are started, or correct casparian.toml`,
  });
}

/** A URL that came with its password is taken apart, so that only the password needs care. */
function split({ name, url, password }: Connection): Connection {
  if (!URL.canParse(url)) return { name, url, password };
  const parts = new URL(url);
  if (parts.password === "") return { name, url, password };
  const own = decodeURIComponent(parts.password);
  parts.password = "";
  return { name, url: parts.href, password: password ?? own };
}
