/**
 * Does something with values one after the other, in the order in which they come; of those that come meanwhile with the newest
 * alone: whoever sends window sizes faster than they are taken costs no memory, and ends with the last one. `act` never rejects.
 */
export function newestOnly<T>(act: (value: T) => Promise<void>): (value: T) => void {
  let next: { readonly value: T } | undefined;
  let isActing = false;
  return (given) => {
    next = { value: given };
    if (isActing) return;
    isActing = true;
    void (async () => {
      while (next !== undefined) {
        const { value } = next;
        next = undefined;
        await act(value);
      }
      isActing = false;
    })();
  };
}
