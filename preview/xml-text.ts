/** A text that is XML; its rows are the elements that come again and again. */
export interface XmlContent {
  readonly kind: "xml";
  readonly root: string;
  /** The element taken for a row; null where none comes again. */
  readonly row: string | null;
  readonly rows: number;
  /** Attributes and children of the rows. */
  readonly columns: readonly string[];
  readonly notices: readonly string[];
}

const tags =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!DOCTYPE[^[>]*(?:\[[\s\S]*?\])?>|<(\/?)([A-Za-z_][\w.:-]*)((?:"[^"]*"|'[^']*'|[^>"'])*?)(\/?)>/g;
const columnsMax = 200;

/** Null where the text isn't XML. */
export function readXml(text: string): XmlContent | null {
  if (!/^\s*<(?:\?xml|!--|!DOCTYPE(?! html)|[A-Za-z_])/.test(text)) return null;
  const counts = new Map<string, { depth: number; count: number; readonly columns: Set<string> }>();
  const path: string[] = [];
  let root = "";
  for (const [, closing, name, attributes = "", self] of text.matchAll(tags)) {
    if (name === undefined) continue;
    if (closing === "/") {
      if (path.at(-1) !== name) return null;
      path.pop();
      continue;
    }
    root ||= name;
    const key = [...path, name].join("/");
    const known = counts.get(key) ?? { depth: path.length, count: 0, columns: new Set<string>() };
    known.count += 1;
    counts.set(key, known);
    for (const [, attribute] of attributes.matchAll(/([A-Za-z_][\w.:-]*)\s*=/g))
      if (known.columns.size < columnsMax) known.columns.add(attribute!);
    counts.get(path.join("/"))?.columns.add(name);
    if (self !== "/") path.push(name);
  }
  if (root === "") return null;
  const repeated = [...counts].filter(([, { depth, count }]) => depth >= 1 && count > 1);
  const shallow = Math.min(...repeated.map(([, { depth }]) => depth));
  const [chosen] = repeated.filter(([, { depth }]) => depth === shallow).toSorted((a, b) => b[1].count - a[1].count);
  return {
    kind: "xml",
    root,
    row: chosen?.[0].split("/").at(-1) ?? null,
    rows: chosen?.[1].count ?? 0,
    columns: [...(chosen?.[1].columns ?? [])],
    notices: [],
  };
}
