import type { OpenZip } from "./zip.ts";

/** An Excel workbook. Its cells are not read here: openpyxl does that in the plugin. */
export interface Workbook {
  readonly kind: "excel";
  readonly sheets: readonly { readonly name: string; readonly isHidden: boolean; readonly range: string | null }[];
  readonly notices: readonly string[];
}

const partBytesMax = 1024 * 1024;

export async function readWorkbook(zip: OpenZip): Promise<Workbook> {
  const part = async (name: string): Promise<string> => {
    const found = zip.members.some((member) => member.name === name);
    return found ? (await zip.read(name, partBytesMax)).bytes.toString("utf8") : "";
  };
  const [book, links] = await Promise.all([part("xl/workbook.xml"), part("xl/_rels/workbook.xml.rels")]);
  const targets = new Map(
    [...links.matchAll(/<Relationship\b[^>]*>/g)].map(([tag]) => [attribute(tag, "Id"), attribute(tag, "Target")] as const),
  );
  const sheets = [...book.matchAll(/<sheet\b[^>]*>/g)].map(async ([tag]) => {
    const target = targets.get(attribute(tag, "r:id"));
    const text = target === undefined ? "" : await part(`xl/${target.replace(/^\/?(?:xl\/)?/, "")}`);
    const dimension = /<dimension\b[^>]*>/.exec(text)?.[0];
    return {
      name: attribute(tag, "name"),
      isHidden: attribute(tag, "state") !== "",
      range: dimension === undefined ? null : attribute(dimension, "ref"),
    };
  });
  return { kind: "excel", sheets: await Promise.all(sheets), notices: [] };
}

function attribute(tag: string, name: string): string {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  return value.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&apos;", "'").replaceAll("&amp;", "&");
}
