import { describe, expect, test } from "vitest";
import { bytes, duration, printable, relativeTime } from "../../cli/format.ts";
import { asStored, renderTable, type Column } from "../../cli/table.ts";
import type { Terminal } from "../../cli/terminal.ts";

const terminal = (width: number): Terminal => ({ width, paint: (_: unknown, text: string) => text }) as unknown as Terminal;

interface Row {
  readonly path: string;
  readonly size: string;
}
const columns: readonly Column<Row>[] = [
  { title: "PATH", value: (row) => row.path, shorten: "middle" },
  { title: "SIZE", value: (row) => row.size, align: "right" },
];

describe("a table", () => {
  test("has its columns under their titles, numbers to the right", () => {
    const rows = [
      { path: "a.csv", size: "5" },
      { path: "longer/name.csv", size: "1,204" },
    ];
    expect(renderTable(terminal(Infinity), columns, rows)).toBe(
      ["PATH              SIZE", "a.csv                5", "longer/name.csv  1,204"].join("\n"),
    );
  });

  test("fits the terminal by leaving out the middle of paths", () => {
    const rows = [{ path: "vendors/2026/november/a-very-long-name-of-a-file.csv", size: "1,204" }];
    const lines = renderTable(terminal(40), columns, rows).split("\n");
    expect(lines[1]).toMatch(/^vendors\/20…[\w-]+-file\.csv {2}1,204$/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  });

  test("counts what a terminal draws two columns wide", () => {
    const lines = renderTable(terminal(Infinity), columns, [
      { path: "報告.csv", size: "1" },
      { path: "ordinary", size: "1" },
    ]).split("\n");
    expect(lines[1]).toBe("報告.csv     1");
    expect(lines[2]).toBe("ordinary     1");
  });

  test("spells out what a file's name may do to a terminal", () => {
    const [, line] = renderTable(terminal(Infinity), columns, [{ path: "a\x1b[2J\nb\u202e.csv", size: "1" }]).split("\n");
    expect(line).toBe(String.raw`a\u001b[2J\u000ab\u202e.csv     1`);
    expect(asStored({ width: 80 }, "pass\x1b]0;title\x07\n\u202e")).toBe(`pass${String.raw`\u001b]0;title\u0007`}\n${String.raw`\u202e`}`);
    expect(asStored({ width: Infinity }, "pass\x1b[2J")).toBe("pass\x1b[2J");
    expect(printable("a\n\tb\r", { keepLines: true })).toBe(`a\n\tb${String.raw`\u000d`}`);
  });
});

test("times, spans and sizes are in their largest sensible unit", () => {
  const now = new Date("2026-11-21T12:00:00Z");
  expect(relativeTime("2026-11-21T11:59:59.800Z", now)).toBe("now");
  expect(relativeTime("2026-11-21T11:59:20Z", now)).toBe("40 s ago");
  expect(relativeTime("2026-11-20T09:00:00Z", now)).toBe("27 h ago");
  expect(relativeTime("2026-11-21T12:05:00Z", now)).toBe("in 5 min");
  expect(relativeTime(null, now)).toBe("–");
  expect([0.0004, 0.85, 1.24, 12.4, 150].map(duration)).toEqual(["0 ms", "850 ms", "1.2 s", "12 s", "2 min"]);
  expect([0, 999, 1_404, 99_960, 168_000_000].map(bytes)).toEqual(["0 B", "999 B", "1.4 kB", "100 kB", "168 MB"]);
});
