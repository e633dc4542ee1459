/** An event on its way. */
export interface OutgoingEvent {
  readonly id: string;
  /** Those with the same one arrive in order. */
  readonly run: string;
  /** One line of JSON, without a line end. */
  readonly json: string;
}

/** What became of events; those that are in neither list are to be sent again. */
export interface Answer {
  /** Ids. */
  readonly sent: readonly string[];
  /** Events that are not taken for what they are: sending them again can't help. */
  readonly refused: readonly { readonly id: string; readonly reason: string }[];
  /** Why the others were not sent; null where all were. */
  readonly trouble: Trouble | null;
}

export interface Trouble {
  readonly message: string;
  /** How long the endpoint wants to be left alone. */
  readonly pauseSeconds: number | null;
  /** Events at which the endpoint failed, although it may take others. */
  readonly failed: readonly string[];
}

/** Where events go. */
export interface Destination {
  /** For people, without secrets. */
  readonly name: string;
  /** Sends events; resolves also where it can't. Those that were under way when `signal` aborts may or may not have arrived. */
  send(events: readonly OutgoingEvent[], signal: AbortSignal): Promise<Answer>;
}
