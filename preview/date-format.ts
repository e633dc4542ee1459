/** A way to write dates or times, as Python's strptime has it. */
export interface DateFormat {
  readonly format: string;
  readonly kind: "date" | "timestamp";
  /** For people: `day.month.year`. */
  readonly words: string;
  readonly test: (value: string) => boolean;
  /** The same with day and month the other way round; null where there is no doubt. */
  readonly twin: string | null;
}

const dates: readonly (readonly [format: string, words: string])[] = [
  ["%Y-%m-%d", "year-month-day"],
  ["%Y/%m/%d", "year/month/day"],
  ["%Y.%m.%d", "year.month.day"],
  ["%d.%m.%Y", "day.month.year"],
  ["%d.%m.%y", "day.month.year"],
  ["%d/%m/%Y", "day/month/year"],
  ["%m/%d/%Y", "month/day/year"],
  ["%d/%m/%y", "day/month/year"],
  ["%m/%d/%y", "month/day/year"],
  ["%d-%m-%Y", "day-month-year"],
  ["%m-%d-%Y", "month-day-year"],
  ["%d-%m-%y", "day-month-year"],
  ["%m-%d-%y", "month-day-year"],
  ["%y-%m-%d", "year-month-day"],
  ["%d-%b-%Y", "day-month-year"],
  ["%d-%b-%y", "day-month-year"],
  ["%d %b %Y", "day month year"],
  ["%b %d, %Y", "month day, year"],
  ["%b %d %Y", "month day year"],
  ["%d %B %Y", "day month year"],
  ["%B %d, %Y", "month day, year"],
];

const clocks = ["%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p"] as const;

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const longMonths = [
  "january",
  "february",
  "march",
  "april",
  "may",
  "june",
  "july",
  "august",
  "september",
  "october",
  "november",
  "december",
];

const pieces: Readonly<Record<string, string>> = {
  "%Y": "(?<Y>\\d{4})",
  "%y": "(?<y>\\d{2})",
  "%m": "(?<m>\\d{1,2})",
  "%d": "(?<d>\\d{1,2})",
  "%b": "(?<b>[A-Za-z]{3})",
  "%B": "(?<B>[A-Za-z]{3,9})",
  "%H": "(?<H>\\d{1,2})",
  "%I": "(?<I>\\d{1,2})",
  "%M": "(?<M>\\d{2})",
  "%S": "(?<S>\\d{2})",
  "%f": "(?<f>\\d{1,6})",
  "%p": "(?<p>[AaPp][Mm])",
};

/** All formats that a column may be in: dates, and dates with a time of day. */
export const dateFormats: readonly DateFormat[] = [
  ...dates.map(([format, words]) => make(format, words, "date")),
  ...dates.flatMap(([format, words]) => clocks.map((clock) => make(`${format} ${clock}`, `${words} time`, "timestamp"))),
  make("%Y%m%d", "yearmonthday", "date"),
];

function make(format: string, words: string, kind: DateFormat["kind"]): DateFormat {
  const source = format.replaceAll(/%[A-Za-z]|[^%]/g, (token) => pieces[token] ?? RegExp.escape(token));
  // Compact dates have all digits.
  const pattern = new RegExp(`^${format === "%Y%m%d" ? "(?<Y>\\d{4})(?<m>\\d{2})(?<d>\\d{2})" : source}$`);
  const swapped = format.replace(/^%d([/-])%m\b/, "%m$1%d");
  const back = format.replace(/^%m([/-])%d\b/, "%d$1%m");
  const twin = swapped !== format ? swapped : back !== format ? back : null;
  return {
    format,
    kind,
    words,
    twin,
    test: (value) => {
      const groups = pattern.exec(value)?.groups;
      return groups !== undefined && isReal(groups);
    },
  };
}

function isReal(part: Readonly<Record<string, string | undefined>>): boolean {
  const month = part["b"] !== undefined ? months.indexOf(part["b"].toLowerCase()) + 1 : monthOf(part);
  const day = Number(part["d"]);
  const year = part["Y"] === undefined ? 2000 + Number(part["y"]) : Number(part["Y"]);
  if (month < 1 || month > 12 || day < 1 || year < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return false;
  return (
    Number(part["H"] ?? 0) < 24 &&
    Number(part["I"] ?? 1) >= 1 &&
    Number(part["I"] ?? 1) <= 12 &&
    Number(part["M"] ?? 0) < 60 &&
    Number(part["S"] ?? 0) < 60
  );
}

function monthOf(part: Readonly<Record<string, string | undefined>>): number {
  return part["B"] === undefined ? Number(part["m"]) : longMonths.indexOf(part["B"].toLowerCase()) + 1;
}
