import { WrongUse } from "../domain/failure.ts";

/** A plugin's version as people name it. */
export interface PluginReference {
  readonly name: string;
  /** Undefined where none was named. */
  readonly version: string | undefined;
}

/** `clean@2`, or `clean` alone. Throws WrongUse. */
export function parsePluginReference(text: string): PluginReference {
  const [name = "", version, ...rest] = text.split("@");
  if (name !== "" && version !== "" && rest.length === 0) return { name, version };
  throw new WrongUse(`"${text}" names no version of a plugin`, "Give the plugin's name and version, like clean@2");
}
