/** A value that its column can't keep; whoever writes the row adds where it stands. */
export class ValueRefused extends Error {
  readonly hint: string;

  /** `is` goes on after "row 3 of column "price" is …". */
  constructor(is: string, hint: string) {
    super(is);
    this.name = "ValueRefused";
    this.hint = hint;
  }
}
