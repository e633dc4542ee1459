import { expect, test } from "vitest";
import { compareColumns, isWidening, widenedColumns } from "../../contracts/compare.ts";
import { parseContract, documentOf, refuseImpossible } from "../../contracts/document.ts";

test("a type is wider where every value of the other is one of it, exactly", () => {
  const wider = [
    ["int8", "int64"],
    ["uint8", "uint16"],
    ["uint32", "int64"],
    ["int32", "double"],
    ["int16", "float"],
    ["float", "double"],
    ["int64", "decimal128(19, 0)"],
    ["decimal128(10, 2)", "decimal128(12, 4)"],
    ["decimal128(10, 2)", "decimal256(40, 2)"],
    ["time32[s]", "time64[ns]"],
    ["null", "string"],
  ];
  const not = [
    ["int64", "double"],
    ["int32", "float"],
    ["uint64", "int64"],
    ["int8", "uint64"],
    ["int64", "decimal128(18, 0)"],
    ["decimal128(10, 2)", "decimal128(11, 4)"],
    ["timestamp[s]", "timestamp[ns]"],
    ["timestamp[us]", "timestamp[us, tz=UTC]"],
    ["int64", "string"],
    ["int64", "int64"],
    ["double", "float"],
    ["struct<a: int8>", "struct<a: int16>"],
  ];
  for (const [from, to] of wider) expect([from, to, isWidening(from!, to!)]).toEqual([from, to, true]);
  for (const [from, to] of [...not, ...wider.map((pair) => pair.toReversed())])
    expect([from, to, isWidening(from!, to!)]).toEqual([from, to, false]);
});

test("encodings, the order and columns without a value are no difference", () => {
  const columns = (text: string) =>
    text.split(", ").map((each) => ({ name: each.split(" ")[0]!, type: each.split(" ")[1]!, nullable: true }));
  expect(compareColumns(columns("a int64, b string, c double"), columns("c null, b large_string, a int64"))).toEqual([]);
  const encoded = [{ name: "a", type: "dictionary<values=string, indices=int8, ordered=0>" }];
  expect(compareColumns(encoded, [{ name: "a", type: "dictionary<values=large_string, indices=int32, ordered=0>" }])).toEqual([]);
  const changes = compareColumns(columns("a int8, b string, c double"), columns("a int16, c float, d bool"));
  expect(changes.map(({ kind, column }) => `${kind} ${column}`)).toEqual(["widened a", "removed b", "narrowed c", "added d"]);
  expect(widenedColumns(columns("a int8, c double"), changes).map(({ name, type }) => `${name} ${type}`)).toEqual([
    "a int16",
    "c double",
    "d bool",
  ]);
});

test("a contract is read from JSON and TOML, and what it can't be is named", () => {
  const toml = `policy = "quarantine"\nmax_share = "5%"\n[[columns]]\nname = "amount"\ntype = "decimal(10,2)"\nmin = 0\nnullable = false\n`;
  const contract = parseContract(toml, "a.toml");
  expect(contract).toEqual({
    policy: "quarantine",
    rowsMax: null,
    shareMax: 0.05,
    columns: [{ name: "amount", type: "decimal128(10, 2)", nullable: false, checks: { min: "0" } }],
  });
  expect(parseContract(JSON.stringify(documentOf(contract)), "x")).toEqual(contract);
  refuseImpossible(contract, []);
  const refused = (column: object, words: string) => {
    const given = () =>
      refuseImpossible(parseContract(JSON.stringify({ columns: [{ name: "c", type: "int64", ...column }] }), "the file"), []);
    expect(given).toThrow(words);
  };
  refused({ type: "int46" }, '"int46" is no type');
  refused({ min: "abc" }, 'can\'t have the bound "abc"');
  refused({ min: "1.5" }, "is not whole");
  refused({ pattern: "a" }, "can't have a pattern");
  refused({ type: "string", pattern: "(" }, "is no regular expression");
  refused({ type: "string", min: "a" }, "can't have the bound");
  refused({ type: "string", nulls: true }, "nulls");
  refused({ max: 2 ** 60 }, "only in quotes");
  expect(() => parseContract("policy = ", "b.toml")).toThrow("b.toml is neither JSON nor TOML");
});
