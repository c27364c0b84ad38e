// Lets work take only so long.

/** Aborts work that takes longer than `ms` milliseconds; `action` is what cannot be done then. */
export async function within<T>(
  ms: number,
  action: string,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ms);
  try {
    return await work(signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]));
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.signal.aborted) throw new Error(`Cannot ${action}: it takes longer than ${ms / 1000} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
