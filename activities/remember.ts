/** More artifacts than this are rarely active at once. */
const rememberedMax = 200;

/** A look-up of what never changes, by id or hash, with the latest answers kept. A failure is not kept. */
export function remember<T>(load: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (key) => {
    const present = known.get(key);
    if (present !== undefined) return present;
    const loading = load(key);
    known.set(key, loading);
    loading.catch(() => known.delete(key));
    const [oldest] = known.keys();
    if (known.size > rememberedMax && oldest !== undefined) known.delete(oldest);
    return loading;
  };
}
