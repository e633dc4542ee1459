/** One line of RFC 4180 without its end; null is an empty field, and an empty text a quoted one. */
export function csvLine(fields: readonly (string | null)[]): string {
  return fields.map(csvField).join(",");
}

function csvField(value: string | null): string {
  if (value === null) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** Columns of one name are told apart by a number, so that none is lost in an object. */
export function distinctNames(names: readonly string[]): readonly string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let n = 2; seen.has(distinct); n += 1) if (!taken.has(`${name}_${n}`)) distinct = `${name}_${n}`;
    seen.add(distinct);
    taken.add(distinct);
    return distinct;
  });
}
