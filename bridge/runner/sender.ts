/** One after the other, as the library wants it. */
export function createSender<T>(socket: { send(message: T): Promise<void> }): (message: T) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return (message) => {
    const sent = last.then(() => socket.send(message));
    last = sent.catch(() => {});
    return sent;
  };
}
