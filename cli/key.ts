import { Command } from "commander";
import { createKey, listKeys, ownKeyRing, type KnownKey } from "../control/signing-keys.ts";
import { distrustKey, trustKey, type TrustChange } from "../control/trust-key.ts";
import { withExamples } from "./examples.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("key")
    .description(
      "Keys (Ed25519) that sign plugins. With require_signature = true under [plugins] in casparian.toml, only what a trusted key has signed runs.",
    )
    .addCommand(newCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(trustCommand(shell))
    .addCommand(distrustCommand(shell));
}

function newCommand(shell: Shell): Command {
  const command = new Command("new")
    .summary("make a key of your own")
    .description(
      "Makes a key that only you can read, in CASPARIAN_KEYS or your configuration's casparian/keys. CASPARIAN_KEY_PASSPHRASE encrypts it.",
    )
    .argument("<name>", "the key's name")
    .action(async (name: string) => {
      const key = await createKey(ownKeyRing(process.env), name);
      shell.terminal.show(key, () =>
        [
          `Made ${key.file}${key.encrypted ? ", encrypted" : ", not encrypted: whoever reads it can sign as you"}`,
          `Whoever runs workers trusts it with: casparian key trust ${name} ${key.publicKey}`,
        ].join("\n"),
      );
    });
  return withExamples(command, { "casparian key new ann": "" });
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list your keys, and those that are trusted here")
    .description("Lists your own keys and those that this home trusts.")
    .action(async () => {
      const { plugins } = shell.settings();
      const keys = await listKeys(ownKeyRing(process.env), plugins.trustedKeys);
      shell.terminal.show(keys, () =>
        keys.length === 0 ? "No key. Make one: casparian key new NAME" : renderTable(shell.terminal, columns, keys),
      );
    });
  return withExamples(command, { "casparian key list": "" });
}

const columns: readonly Column<KnownKey>[] = [
  { title: "TRUSTED AS", value: ({ trustedAs }) => trustedAs ?? "–", style: ({ trustedAs }) => (trustedAs === null ? "dim" : "green") },
  { title: "YOURS", value: ({ own }) => own ?? "–" },
  { title: "PUBLIC KEY", value: ({ publicKey }) => publicKey },
];

function trustCommand(shell: Shell): Command {
  const command = new Command("trust")
    .summary("let plugins run here that a key has signed")
    .description(
      "Adds a public key to this home's trusted-keys, a file beside casparian.toml. Copy it to the other machines that run workers: it is kept " +
        "out of the record, so that who can change the record can't choose whom to trust.",
    )
    .argument("<name>", "whose it is")
    .argument("<key>", "the public key, ed25519:…")
    .action((name: string, key: string) => change(shell, (session, file) => trustKey(session, file, name, key), "trusted"));
  return withExamples(command, { "casparian key trust ann ed25519:MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqow=": "" });
}

function distrustCommand(shell: Shell): Command {
  const command = new Command("distrust")
    .summary("take a key's trust away")
    .description("Takes a public key out of this home's trusted-keys; running workers see it with their next job.")
    .argument("<name>", "what it is trusted as, or the key")
    .action((name: string) => change(shell, (session, file) => distrustKey(session, file, name), "no longer trusted"));
  return withExamples(command, { "casparian key distrust ann": "" });
}

type Change = (session: Parameters<typeof trustKey>[0], file: string) => Promise<TrustChange>;

async function change(shell: Shell, work: Change, done: string): Promise<void> {
  await withSession(shell, {}, async (session) => {
    const changed = await work(session, shell.settings().plugins.trustedKeys);
    shell.terminal.show(changed, () => `${changed.name} (${changed.publicKey}) is ${changed.changed ? done : "trusted already"}`);
  });
}
