import { expect, test } from "vitest";
import { previewFolder } from "./preview-text.ts";

const folder = previewFolder();
const encodingOf = async (content: Uint8Array | string) => (await folder.look("file.csv", content)).text?.encoding;
const latin = (text: string) => Buffer.from(text, "latin1");

test("byte order marks, UTF-8 and UTF-16 are certain", async () => {
  expect(await encodingOf("a,b\n1,2\n")).toMatchObject({ python: "utf-8", sure: "certain", reason: expect.stringMatching(/ASCII/) });
  expect(await encodingOf("a,b\n1,ä\n")).toMatchObject({ python: "utf-8", sure: "certain" });
  expect(await encodingOf("\ufeffa,b\n1,2\n")).toMatchObject({
    python: "utf-8-sig",
    hasMark: true,
    reason: expect.stringMatching(/EF BB BF/),
  });
  expect(await encodingOf(Buffer.from("\ufeffa\tb\n1\tä\n", "utf16le"))).toMatchObject({ python: "utf-16", sure: "certain" });
  expect(await encodingOf(Buffer.from("a,b\n1,2\n", "utf16le"))).toMatchObject({ python: "utf-16-le", hasMark: false });
});

test("another encoding is a guess, with the bytes that say so", async () => {
  const encoding = await encodingOf(latin("name;ort\nMüller;Köln\nGroß;Zürich\n"));
  expect(encoding).toMatchObject({ python: "cp1252", name: "windows-1252", sure: "guess" });
  expect(encoding!.reason).toMatch(/byte FC at 10 \(line 2\), read as in “.*Müller;K/);
});

test("two encodings in one file are said, and each line is read in its own", async () => {
  const preview = await folder.look("mixed.csv", Buffer.concat([Buffer.from("name,n\nMüller,1\nZoë,2\n"), latin("Groß,3\n")]));
  expect(preview.text!.encoding).toMatchObject({ sure: "mixed", reason: expect.stringMatching(/first DF at 27 \(line 4\)/) });
  expect(preview.content).toMatchObject({
    rows: 3,
    first: [
      ["Müller", "1"],
      ["Zoë", "2"],
      ["Groß", "3"],
    ],
  });
});

test("a letter that the end of the sample cuts through doesn't make it another encoding", async () => {
  const preview = await folder.look("cut.csv", `a,b\n${"ä,ö\n".repeat(1_000)}`, { bytesMax: 5 });
  expect(preview).toMatchObject({ sample: { bytes: 5, isWhole: false }, text: { encoding: { python: "utf-8", sure: "certain" } } });
});

test("line ends are counted, and NUL characters are told with their line", async () => {
  const ends = await folder.look("ends.csv", "a,b\r\n1,2\n3,4\r\n");
  expect(ends).toMatchObject({
    text: { lineEnds: { crlf: 2, lf: 1, cr: 0 } },
    notices: [expect.stringMatching(/lines end in several ways/)],
  });
  const nul = await folder.look("nul.csv", `a,b\n1,x\0y\n${"2,some text\n".repeat(20)}`);
  expect(nul.notices).toEqual(["a NUL character stands in the text, first in line 2; databases refuse them"]);
});
