/** Does `act` for every item, `width` of them at the same time. Rejects with the first failure once all under way are done. */
export async function inTurns<T>(width: number, items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const failures: unknown[] = [];
  const turn = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && failures.length === 0; item = waiting.shift()) {
      await act(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, turn));
  if (failures.length > 0) throw failures[0];
}
