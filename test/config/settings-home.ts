import { mkdtempSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect } from "vitest";
import { readSettings, type Flags, type Settings } from "../../config/settings.ts";
import { WrongUse } from "../../domain/failure.ts";

/** A home that is empty at the beginning of each test, and its settings with this file, environment and flags. */
export function settingsHome() {
  const home = mkdtempSync(join(tmpdir(), "casparian-home-"));
  beforeEach(async () => {
    await rm(home, { recursive: true });
    await mkdir(home);
  });
  afterAll(() => rm(home, { recursive: true }));

  async function read(toml: string | undefined, env: NodeJS.ProcessEnv = {}, flags: Flags = {}): Promise<Settings> {
    if (toml !== undefined) await writeFile(join(home, "casparian.toml"), toml);
    return readSettings({ home, env, flags });
  }

  async function refusal(toml: string | undefined, env: NodeJS.ProcessEnv = {}, flags: Flags = {}): Promise<WrongUse> {
    const error: unknown = await read(toml, env, flags).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(WrongUse);
    return error as WrongUse;
  }

  return { home, read, refusal };
}
