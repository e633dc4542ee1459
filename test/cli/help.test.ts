import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import type { Shell } from "../../cli/shell.ts";
import { verbs } from "../../cli/verbs.ts";
import { failureOf, runCommand } from "../support/command.ts";

describe("help", () => {
  test("lists every verb with what it is for", async () => {
    const { exitCode, stdout, stderr } = await runCommand(["--help"]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb.name} +${verb.summary}$`, "m"));
    expect(stdout).toContain("Exit codes: 0 done, 1 failed, 2 wrong use, 3 a service cannot be reached.");
  });

  test("of a verb has its options and the global ones", async () => {
    const { exitCode, stdout } = await runCommand(["scan", "--help"]);
    expect(exitCode).toBe(0);
    for (const option of ["--wait", "--timeout <seconds>", "--home <folder>", "--json"]) expect(stdout).toContain(option);
  });

  test.each(verbs)("of everything that $name does has an example", async (verb) => {
    const { createCommand } = await verb.load();
    for (const command of leavesOf(createCommand({} as Shell)))
      expect(helpOf(command), command.name()).toMatch(/\nExamples?:\n {2}(casparian|psql)/);
  });

  test("is found by `help VERB` as well", async () => {
    const [byVerb, byOption] = await Promise.all([runCommand(["help", "sql"]), runCommand(["sql", "--help"])]);
    expect(byVerb).toEqual(byOption);
  });

  test("is what somebody gets who asks for nothing, as wrong use", async () => {
    const whole = await runCommand([]);
    expect(whole).toMatchObject({ exitCode: 2, stdout: "" });
    expect(whole.stderr).toContain("Usage: casparian");
    expect(await runCommand(["source"])).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("has no colours where nobody sees them", async () => {
    // eslint-disable-next-line no-control-regex -- escape sequences are what is looked for
    expect((await runCommand(["--help"])).stdout).not.toMatch(/\x1b\[/);
  });
});

describe("wrong use", () => {
  test.each([
    [["sourc"], "unknown command 'sourc'", "Did you mean source?"],
    [["jobs", "lst"], "unknown command 'lst'", "Did you mean list?"],
    [["jobs", "list", "--limt", "3"], "unknown option '--limt'", "Did you mean --limit?"],
    [["jobs", "list", "--limit", "many"], "argument 'many' is invalid. Give a whole number", "--help"],
    [["source", "add", "inbox"], "missing required argument 'path'", "--help"],
    [["jobs", "retry"], "no job is named", "casparian jobs retry ID…"],
    [["lineage"], "nothing to begin with is given", "Give one of --file PATH"],
    [["topic", "set", "clean", "trades"], "no sink is given for the topic trades", "parquet://"],
    [["--database", "mysql://db", "status"], "is not the URL of a PostgreSQL database", "postgres://"],
  ])("%j is told in one line, with what to do", async (args, message, hint) => {
    const { exitCode, stdout, stderr } = await runCommand(args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    const lines = stderr.trim().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^error: /);
    expect(lines[0]).toContain(message);
    expect(lines[1]).toMatch(/^hint: /);
    expect(lines[1]).toContain(hint);
  });

  test("is one JSON line on stderr with --json, also where the arguments can't be parsed", async () => {
    const result = await runCommand(["jobs", "lst", "--json"]);
    expect(result).toMatchObject({ exitCode: 2, stdout: "" });
    expect(result.stderr.trim().split("\n")).toHaveLength(1);
    expect(failureOf(result)).toEqual({ code: "WRONG_USE", message: "unknown command 'lst'", hint: "Did you mean list?" });
  });

  test("shows the stack only with --debug", async () => {
    const [plain, debug] = await Promise.all([runCommand(["jobs", "retry"]), runCommand(["jobs", "retry", "--debug"])]);
    expect(plain.stderr).not.toContain("    at ");
    expect(debug.stderr).toContain("    at ");
  });
});

function leavesOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => void (text += part) }).outputHelp();
  return text;
}
