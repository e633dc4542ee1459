import { parse as parseToml } from "smol-toml";
import { z } from "zod";
import { contractPolicies, parseShare, type Contract, type ContractColumn } from "../domain/contract.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { checksOf } from "./check.ts";
import { canonicalType, parseType, plainField, valuesType } from "./type-name.ts";

/** What people write for a bound or a value: numbers may be plain where they are exact. */
const value = z.union([z.string(), z.number(), z.boolean(), z.bigint()]).transform((given, context) => {
  if (typeof given === "number" && Number.isInteger(given) && !Number.isSafeInteger(given))
    context.addIssue({ code: "custom", message: "so large a number is exact only in quotes" });
  return String(given);
});

const columnShape = z.strictObject({
  name: z.string(),
  type: z.string(),
  nullable: z.boolean().default(true),
  min: value.optional(),
  max: value.optional(),
  pattern: z.string().optional(),
  one_of: z.array(value).min(1).max(10_000).optional(),
  unique: z.boolean().optional(),
});

const documentShape = z.strictObject({
  policy: z.enum(contractPolicies).default("quarantine"),
  max_rows: z.int().min(0).optional(),
  max_share: z.union([z.number().min(0).max(1), z.string().transform((text) => parseShare(text))]).optional(),
  columns: z.array(columnShape).min(1).max(10_000),
});

/** A contract as people write it. */
export type ContractDocument = z.input<typeof documentShape>;

/** Reads a contract from JSON or TOML, told apart by the first character. Throws WrongUse that names what is wrong, and where. */
export function parseContract(text: string, where: string): Contract {
  let data: unknown;
  try {
    data = text.trimStart().startsWith("{") ? JSON.parse(text) : parseToml(text);
  } catch (error) {
    throw new WrongUse(`${where} is neither JSON nor TOML: ${messageOf(error)}`, example);
  }
  const read = documentShape.safeParse(data);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new WrongUse(`${where}: ${issue!.path.join(".") || "the contract"}: ${issue!.message}`, example);
  }
  const { policy, max_rows: rowsMax = null, max_share: shareMax = null, columns } = read.data;
  return { policy, rowsMax, shareMax, columns: columns.map(toColumn) };
}

const example = 'casparian contract show PLUGIN OUTPUT --json shows how a contract is written, as "document"';

function toColumn({ name, type, nullable, one_of: oneOf, ...checks }: z.output<typeof columnShape>): ContractColumn {
  const given = { ...checks, oneOf };
  const some = Object.values(given).some((each) => each !== undefined);
  return { name, type: canonicalType(type), nullable, ...(some && { checks: given }) };
}

/** The other way round. */
export function documentOf({ policy, rowsMax, shareMax, columns }: Contract): ContractDocument {
  return {
    policy,
    ...(rowsMax !== null && { max_rows: rowsMax }),
    ...(shareMax !== null && { max_share: shareMax }),
    columns: columns.map(({ checks: { oneOf, ...checks } = {}, ...column }) => ({
      ...column,
      ...checks,
      ...(oneOf && { one_of: [...oneOf] }),
    })),
  };
}

/**
 * Throws WrongUse for a contract that could not be held: two columns of a name, a check that its column's type can't have, a type that isn't known
 * here and is not among `known` ones either, such as nested types that a plugin has yielded.
 */
export function refuseImpossible({ columns }: Contract, known: readonly Pick<ContractColumn, "type">[]): void {
  const names = new Set<string>();
  for (const { name, type, nullable, checks } of columns) {
    if (names.has(name)) throw new WrongUse(`column ${name} is there twice`);
    names.add(name);
    const parsed = parseType(valuesType(type));
    if (parsed !== null) checksOf(plainField(name, parsed, nullable), nullable, checks);
    else if (!known.some((column) => column.type === type))
      throw new WrongUse(
        `column ${name}: ${JSON.stringify(type)} is no type`,
        "Types are int64, double, decimal(10, 2), string, bool, date32, timestamp[us], timestamp[us, tz=UTC] and the like, as Arrow calls them",
      );
    else if (checks !== undefined) throw new WrongUse(`column ${name} of type ${type} can have no checks but --not-null`);
  }
}
