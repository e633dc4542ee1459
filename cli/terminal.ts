import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];

/** Where a verb shows its result: one JSON document or text on stdout, and what goes on meanwhile on stderr. */
export interface Terminal {
  readonly json: boolean;
  /** Columns of the terminal; Infinity where stdout is none, so that nothing is shortened for a program. */
  readonly width: number;
  /** Whether stderr is a terminal, on which a line can be updated. */
  readonly live: boolean;
  /** Prints the value as JSON when asked for, and the text otherwise. */
  show(value: unknown, text: () => string): void;
  print(text: string): void;
  /** One line on stderr that matters whatever happens next. Nothing with `--json`. */
  note(text: string): void;
  /** What is being done: one updated line on a terminal, plain lines elsewhere. Nothing with `--json`. */
  progress(text: string): void;
  /** Takes the updated line away, before something else is printed. */
  clearProgress(): void;
  /** Styled where stdout shows colours, plain elsewhere and with NO_COLOR. */
  paint(style: Style, text: string): string;
}

export function createTerminal({ json }: { readonly json: boolean }): Terminal {
  const { stdout, stderr } = process;
  let shown = false;
  const terminal: Terminal = {
    json,
    width: stdout.isTTY ? Math.max(40, stdout.columns ?? 80) : Infinity,
    live: stderr.isTTY && !json,
    show: (value, text) => terminal.print(json ? JSON.stringify(value, null, 2) : text()),
    print(text) {
      terminal.clearProgress();
      if (text !== "") stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    note(text) {
      terminal.clearProgress();
      if (!json) stderr.write(`${text}\n`);
    },
    progress(text) {
      if (json) return;
      if (!terminal.live) return void stderr.write(`${text}\n`);
      stderr.write(`\r\x1b[2K${text.slice(0, (stderr.columns ?? 80) - 1)}`);
      shown = true;
    },
    clearProgress() {
      if (shown) stderr.write("\r\x1b[2K");
      shown = false;
    },
    paint: (style, text) => styleText(style, text, { stream: stdout }),
  };
  return terminal;
}

/** `casparian files | head` is no error: the reader has seen enough. Called once, before anything is printed. */
export function ignoreBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
