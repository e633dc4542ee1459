/** A value that the column's type in DuckDB can't hold; whoever puts the row adds where it stands. */
export class ValueRefused extends Error {}
