/** Collections that forget what is oldest. */

/** A set of at most `max` values. */
export class BoundedSet<Value> {
  readonly #values = new Set<Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  has(value: Value): boolean {
    return this.#values.has(value);
  }

  /** Adds a value; false if it was there already. */
  add(value: Value): boolean {
    if (this.#values.has(value)) return false;
    this.#values.add(value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.values().next().value!);
    return true;
  }

  clear(): void {
    this.#values.clear();
  }
}

/** A map of at most `max` entries; an entry counts from when it was last set. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!);
  }

  /** Changes an entry and leaves its age. */
  replace(key: Key, value: Value): void {
    if (this.#entries.has(key)) this.#entries.set(key, value);
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  values(): IterableIterator<Value> {
    return this.#entries.values();
  }

  keys(): IterableIterator<Key> {
    return this.#entries.keys();
  }

  clear(): void {
    this.#entries.clear();
  }
}
