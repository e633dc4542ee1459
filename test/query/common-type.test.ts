import { describe, expect, test } from "vitest";
import { nameColumns } from "../../query/column-names.ts";
import { commonType } from "../../query/common-type.ts";

describe("the common type", () => {
  test.each([
    [["INTEGER"], "INTEGER", false],
    [["TINYINT", "BIGINT", "SMALLINT"], "BIGINT", false],
    [["UINTEGER", "INTEGER"], "BIGINT", false],
    [["UBIGINT", "BIGINT"], "HUGEINT", false],
    [["UTINYINT", "TINYINT"], "SMALLINT", false],
    [["FLOAT", "DOUBLE"], "DOUBLE", false],
    [["INTEGER", "FLOAT"], "DOUBLE", false],
    [["BIGINT", "DOUBLE"], "DOUBLE", true],
    [["DOUBLE", "UBIGINT", "INTEGER"], "DOUBLE", true],
    [["UBIGINT", "BIGINT", "DOUBLE"], "DOUBLE", true],
    [["DECIMAL(10,2)", "DECIMAL(8,4)"], "DECIMAL(12,4)", false],
    [["DECIMAL(10,2)", "BIGINT"], "DECIMAL(21,2)", false],
    [["TIMESTAMP_NS", "TIMESTAMP", "TIMESTAMP_S"], "TIMESTAMP_NS", false],
    [["NULL", "VARCHAR"], "VARCHAR", false],
  ] as const)("of %j is %s", (types, type, checked) => {
    expect(commonType(types)).toEqual({ type, checked });
    expect(commonType(types.toReversed())).toEqual({ type, checked });
  });

  test.each([
    [["BIGINT", "VARCHAR"]],
    [["HUGEINT", "DOUBLE"]],
    [["DECIMAL(38,2)", "DECIMAL(38,4)"]],
    [["DECIMAL(10,2)", "DOUBLE"]],
    [["DATE", "TIMESTAMP"]],
    [["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]],
    [["INTEGER[]", "BIGINT[]"]],
    [["BOOLEAN", "INTEGER"]],
  ])("of %j is none, because some value would change", (types) => expect(commonType(types)).toBeNull());
});

describe("a view's columns", () => {
  test("are those of all files, the lineage columns last", () => {
    const { names } = nameColumns([
      ["a", "_cf_job_id"],
      ["b", "a", "_cf_job_id"],
    ]);
    expect(names).toEqual(["a", "b", "_cf_job_id"]);
  });

  test("are one where names differ by case from file to file, and several where they do within a file", () => {
    const apart = nameColumns([["Id", "x"], ["id"]]);
    expect([apart.names, apart.nameOf("id")]).toEqual([["Id", "x"], "Id"]);
    const beside = nameColumns([["id"], ["ID", "id", "id_2"]]);
    expect(beside.names).toEqual(["id", "ID_3", "id_2"]);
    expect(beside.nameOf("ID")).toBe("ID_3");
  });
});
