/**
 * Runs `work` on all items, at most `limit` at a time, and resolves when all are done. After an error no further item is
 * begun; it rejects with the first error, but not before everything under way has ended.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failed: { error: unknown } | null = null;
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  // Assigned in the lanes, which the compiler does not follow.
  const outcome = failed as { error: unknown } | null;
  if (outcome) throw outcome.error;
}
