import { Command, InvalidArgumentError } from "commander";
import {
  approve,
  diffContract,
  listCurrentContracts,
  setContract,
  showContract,
  type ColumnChanges,
  type ContractChanges,
  type ContractRow,
} from "../control/contracts.ts";
import {
  contractPolicies,
  describeChange,
  parseShare,
  type ColumnChecks,
  type ContractColumn,
  type ContractPolicy,
} from "../domain/contract.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { count, number, printable, relativeTime } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { readArgument } from "./read-argument.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("contract")
    .description(
      "What the rows of each output must look like: columns, types, checks. The first committed job of an output proposes one; once approved it is in force for jobs that begin from then on.",
    )
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(approveCommand(shell))
    .addCommand(setCommand(shell))
    .addCommand(diffCommand(shell));
}

const outputHelp = "the output's name; may be left out where only one has a contract";

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list contracts in force, and proposals")
    .argument("[plugin]", "only this plugin's")
    .action(async (plugin: string | undefined) => {
      await withSession(shell, {}, async (session) => {
        const contracts = await listCurrentContracts(session, plugin);
        shell.terminal.show(contracts, () =>
          contracts.length === 0
            ? "No contract. The first committed job of an output proposes one."
            : renderTable(shell.terminal, listColumns, contracts),
        );
      });
    });
  return withExamples(command, { "casparian contract list": "" });
}

const listColumns: readonly Column<ContractRow>[] = [
  { title: "PLUGIN", value: ({ plugin }) => plugin },
  { title: "OUTPUT", value: ({ output }) => output },
  { title: "VERSION", value: ({ version }) => String(version), align: "right" },
  { title: "STATE", value: ({ state }) => state, style: ({ state }) => (state === "APPROVED" ? "green" : "yellow") },
  { title: "POLICY", value: ({ policy }) => policy },
  { title: "COLUMNS", value: ({ columns }) => number(columns.length), align: "right" },
  { title: "SET ASIDE AT MOST", value: limitsOf },
  { title: "BY", value: authorOf, shorten: "end" },
  { title: "WHEN", value: ({ approvedAt, createdAt }) => relativeTime(approvedAt ?? createdAt) },
];

function limitsOf({ rowsMax, shareMax }: Pick<ContractRow, "rowsMax" | "shareMax">): string {
  const share = shareMax === null ? [] : [`${Number((shareMax * 100).toPrecision(6))}%`];
  return [...(rowsMax === null ? [] : [count(rowsMax, "row")]), ...share].join(", ") || "–";
}

function authorOf({ author, jobId }: ContractRow): string {
  return jobId === null ? author : `job ${jobId}`;
}

function showCommand(shell: Shell): Command {
  const command = new Command("show")
    .summary("show a contract's columns, checks and versions")
    .argument("<plugin>", "the plugin's name")
    .argument("[output]", outputHelp)
    .option("--number <version>", "this version (default: the one in force, else the newest)", parseCount)
    .action(async (plugin: string, output: string | undefined, options: { readonly number?: number }) => {
      await withSession(shell, {}, async (session) => {
        const { contract, document, versions } = await showContract(session, { plugin, output }, options.number);
        shell.terminal.show({ contract, document, versions }, () => describe(shell, contract, versions));
      });
    });
  return withExamples(command, {
    "casparian contract show clean trades": "",
    "casparian contract show clean trades --json | jq .document > trades.json": "to edit it, and approve it with --file",
  });
}

function describe(shell: Shell, contract: ContractRow, versions: readonly ContractRow[]): string {
  const { terminal } = shell;
  const lines = [
    `Contract of ${contract.plugin}/${contract.output}, version ${contract.version}  ${terminal.paint(contract.state === "APPROVED" ? "green" : "yellow", contract.state)}`,
    `  policy      ${contract.policy}`,
    `  set aside   ${contract.rowsMax === null && contract.shareMax === null ? "no limit" : `at most ${limitsOf(contract)}`}`,
    "",
    renderTable(terminal, columnColumns, contract.columns),
  ];
  if (versions.length > 1) lines.push("", renderTable(terminal, listColumns.slice(2), versions));
  if (contract.state === "PROPOSED") lines.push("", `Put it into force: casparian contract approve ${contract.plugin} ${contract.output}`);
  return lines.join("\n");
}

const columnColumns: readonly Column<ContractColumn>[] = [
  { title: "COLUMN", value: ({ name }) => name },
  { title: "TYPE", value: ({ type }) => type, shorten: "end" },
  { title: "NULLS", value: ({ nullable }) => (nullable ? "yes" : "no") },
  { title: "CHECKS", value: ({ checks }) => checksText(checks), shorten: "end" },
];

function checksText({ min, max, pattern, oneOf, unique }: ColumnChecks = {}): string {
  return [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
    ...(pattern === undefined ? [] : [`matches ${pattern}`]),
    ...(oneOf === undefined ? [] : [`one of ${oneOf.join(", ")}`]),
    ...(unique === true ? ["unique in a file"] : []),
  ].join("; ");
}

interface ApproveOptions {
  readonly number?: number;
  readonly file?: string;
  readonly last?: boolean;
}

function approveCommand(shell: Shell): Command {
  const command = new Command("approve")
    .summary("put a contract into force")
    .description("Puts a contract into force for jobs that begin from then on: what is proposed, or what is named.")
    .argument("<plugin>", "the plugin's name")
    .argument("[output]", outputHelp)
    .option("--number <version>", "this version", parseCount)
    .option("--file <path>", "the contract in this file, JSON or TOML; - for stdin")
    .option("--last", "the columns that the last job yielded, with the checks that there are")
    .action(async (plugin: string, output: string | undefined, { number: version, file, last }: ApproveOptions) => {
      if ([version, file, last].filter((each) => each !== undefined).length > 1)
        throw new WrongUse("several of --number, --file and --last are given", "Give one of them");
      const text = file === undefined ? undefined : await readArgument(`@${file}`, shell.signal);
      await withSession(shell, {}, async (session) => {
        const contract = await approve(session, { plugin, output }, { version, text, where: file ?? "", last: last ?? false });
        shell.terminal.show(contract, () => inForce(contract));
      });
    });
  return withExamples(command, {
    "casparian contract approve clean trades": "what is proposed",
    "casparian contract approve clean trades --file trades.toml": "",
    "casparian contract approve clean trades --last": "after the columns have changed for good",
  });
}

function inForce({ plugin, output, version, state, policy }: ContractRow): string {
  if (state === "PROPOSED")
    return `Version ${version} of the contract of ${plugin}/${output} is proposed; put it into force: casparian contract approve ${plugin} ${output}`;
  return `Version ${version} of the contract of ${plugin}/${output} is in force, with policy ${policy}`;
}

interface SetOptions {
  readonly policy?: ContractPolicy;
  readonly maxRows?: number | null;
  readonly maxShare?: number | null;
  readonly column?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly min?: string;
  readonly max?: string;
  readonly pattern?: string;
  readonly oneOf?: readonly string[];
  readonly unique?: boolean;
  readonly checks?: boolean;
}

function setCommand(shell: Shell): Command {
  const command = new Command("set")
    .summary("change a contract: policy, limits, a column")
    .description("Makes a new version with changes. It is in force at once where the one that it changes was.")
    .argument("<plugin>", "the plugin's name")
    .argument("[output]", outputHelp)
    .option("--policy <policy>", `what becomes of other columns: ${contractPolicies.join(", ")}`, parsePolicy)
    .option("--max-rows <number>", "more rows set aside of one file fail its job; none for no limit", parseLimit(Number))
    .option("--max-share <share>", "the same as a share of its rows, such as 5%; none for no limit", parseLimit(parseShare))
    .option("--column <name>", "the column that the following are for")
    .option("--type <type>", "its type, such as 'decimal(10, 2)'")
    .option("--nullable", "it may be null")
    .option("--no-nullable", "rows in which it is null are set aside")
    .option("--min <value>", "its least value")
    .option("--max <value>", "its greatest value")
    .option("--pattern <expression>", "a regular expression that the whole value matches")
    .option("--one-of <values>", "its values, with commas between them", (text: string) => text.split(","))
    .option("--unique", "no value twice in a file")
    .option("--no-unique", "values may come twice")
    .option("--no-checks", "without the checks that it has")
    .action(async (plugin: string, output: string | undefined, options: SetOptions) => {
      const changes = parseChanges(options);
      await withSession(shell, {}, async (session) => {
        const contract = await setContract(session, { plugin, output }, changes);
        shell.terminal.show(contract, () => inForce(contract));
      });
    });
  return withExamples(command, {
    "casparian contract set clean trades --policy quarantine --max-share 5%": "",
    "casparian contract set clean trades --column price --type 'decimal(12, 4)' --min 0 --no-nullable": "",
    "casparian contract set clean trades --column side --one-of BUY,SELL": "",
  });
}

function parsePolicy(text: string): ContractPolicy {
  const policy = contractPolicies.find((each) => each === text);
  if (policy === undefined) throw new InvalidArgumentError(`Policies are ${contractPolicies.join(", ")}.`);
  return policy;
}

function parseLimit(read: (text: string) => number): (text: string) => number | null {
  return (text) => {
    if (text === "none") return null;
    const limit = read(text);
    if (Number.isNaN(limit) || limit < 0 || (read === Number && !Number.isSafeInteger(limit)))
      throw new InvalidArgumentError("Give a number, or none.");
    return limit;
  };
}

function parseChanges({ policy, maxRows: rowsMax, maxShare: shareMax, column: name, checks, ...rest }: SetOptions): ContractChanges {
  const { type, nullable, ...columnChecks } = rest;
  const hasColumn = checks === false || Object.values(rest).some((each) => each !== undefined);
  if (hasColumn && name === undefined) throw new WrongUse("no column is named", "Name it with --column NAME");
  if (name !== undefined && !hasColumn)
    throw new WrongUse(`nothing is to change in column ${name}`, "Give --type, --min, --no-nullable or the like");
  if (name === undefined && policy === undefined && rowsMax === undefined && shareMax === undefined)
    throw new WrongUse("nothing is to change", "Give --policy, --max-rows, --max-share, or --column with what it must be");
  const column: ColumnChanges | undefined =
    name === undefined ? undefined : { name, type, nullable, withoutChecks: checks === false, checks: columnChecks };
  return { policy, rowsMax, shareMax, column };
}

function diffCommand(shell: Shell): Command {
  const command = new Command("diff")
    .summary("compare a contract with the columns that came last")
    .argument("<plugin>", "the plugin's name")
    .argument("[output]", outputHelp)
    .option("--from <version>", "this version of the contract (default: the one in force)", parseCount)
    .option("--to <version>", "with this version (default: with what came last)", parseCount)
    .action(async (plugin: string, output: string | undefined, options: { readonly from?: number; readonly to?: number }) => {
      await withSession(shell, {}, async (session) => {
        const { contract, other, changes } = await diffContract(session, { plugin, output }, options);
        const than =
          "version" in other ? `version ${other.version}` : `what job ${other.jobId} ${other.refused ? "was refused for" : "yielded"}`;
        shell.terminal.show({ contract, other, changes }, () =>
          [
            `${contract.plugin}/${contract.output}: from version ${contract.version} of the contract to ${than}`,
            ...(changes.length === 0 ? ["  no difference"] : changes.map((change) => `  ${printable(describeChange(change))}`)),
          ].join("\n"),
        );
      });
    });
  return withExamples(command, { "casparian contract diff clean trades": "", "casparian contract diff clean trades --from 1 --to 2": "" });
}
