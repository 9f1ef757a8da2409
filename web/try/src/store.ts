/** State outside of the components: a class that says when it has changed, and a hook that follows it. */
import { useEffect, useReducer } from 'preact/hooks';

export class Store {
  readonly #listeners = new Set<() => void>();

  /** Returns a function that ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  protected changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Renders the component again whenever the store changes; changes within one frame together. */
export function useStore(store: Store): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => store.subscribe(() => render(undefined)), [store]);
}
