/** Something that happens, for whoever listens. Listeners are called in the order in which they came. */
export class Signal<T = void> {
  readonly #listeners: ((value: T) => void)[] = [];

  on(listener: (value: T) => void): void {
    this.#listeners.push(listener);
  }

  raise(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}
