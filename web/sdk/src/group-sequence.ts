/**
 * The order of one group. The server numbers the messages and tips of a group from 1 without gaps; what arrives is told in
 * this order, once. Where something is missing, what comes behind it waits until it was fetched. No I/O, no time.
 */

/** Something with a place. `undefined` stands for a place of which nothing needs to be told, such as one's own message. */
interface Placed<Item> {
  readonly seq: number;
  readonly item: Item | undefined;
}

/** What to do after something arrived. */
export interface Step<Item> {
  /** To be told, in this order. */
  readonly tell: readonly Item[];
  /** Places to be fetched, both included. Asked for once; then `filled` is expected. */
  readonly fetch?: { readonly from: number; readonly through: number };
  /** So many places are skipped: too many are missing. */
  readonly skipped: number;
}

export class GroupSequence<Item> {
  /** Most places that are fetched; a larger gap is skipped, and the application is told that there is one. */
  static readonly GAP_MAX = 300;
  /** Most items that wait behind a gap. With one more, the gap is skipped. */
  static readonly WAITING_MAX = 512;

  /** Everything up to here was told. Undefined until the first place is known. */
  #told: number | undefined;
  #waiting = new Map<number, Item | undefined>();
  #fetching = false;
  /** The group goes at least up to here. */
  #reach = 0;

  /** The last place that was told; 0 if none is known. */
  get told(): number {
    return this.#told ?? 0;
  }

  /** Sets where to begin, if that is not known yet: everything up to `seq` is the history's business. */
  begin(seq: number): void {
    this.#told ??= seq;
  }

  /** Something arrived by itself. */
  arrived(seq: number, item: Item): Step<Item> {
    this.#told ??= seq - 1;
    // One's own message keeps its place without being told, should the server push it too.
    if (seq <= this.#told || this.#waiting.has(seq)) return NOTHING;
    this.#waiting.set(seq, item);
    return this.#step();
  }

  /** This client's own message got its place. What is missing before it is on its way as a push: nothing is fetched. */
  sent(seq: number): Step<Item> {
    this.#told ??= seq - 1;
    if (seq > this.#told && !this.#waiting.has(seq)) this.#waiting.set(seq, undefined);
    return { tell: this.#advance(), skipped: 0 };
  }

  /** The server says that the group goes up to `seq`: asked after a reconnect. */
  reaches(seq: number): Step<Item> {
    this.#told ??= seq;
    this.#reach = Math.max(this.#reach, seq);
    return this.#step();
  }

  /** The answer to a fetch: what the server has of these places. Places that it does not have (any more) are done. */
  filled(items: readonly Placed<Item>[], through: number): Step<Item> {
    const told = this.#told ?? 0;
    for (const { seq, item } of items) {
      if (seq > told && !this.#waiting.has(seq)) this.#waiting.set(seq, item);
    }
    for (let seq = told + 1; seq <= through; seq++) {
      if (!this.#waiting.has(seq)) this.#waiting.set(seq, undefined);
    }
    this.#fetching = false;
    return this.#step();
  }

  /** A fetch failed: what waits is told, and the gap is skipped. */
  gaveUp(): Step<Item> {
    this.#fetching = false;
    return this.#skip(this.#firstWaiting() ?? this.#reach + 1, []);
  }

  #step(): Step<Item> {
    const tell = this.#advance();
    const told = this.#told ?? 0;
    const first = this.#firstWaiting();
    // An own message that waits is no sign of a gap: its answer is faster than the pushes before it.
    const isMissing = this.#reach > told || [...this.#waiting.values()].some((item) => item !== undefined);
    const through = first === undefined ? this.#reach : first - 1;
    if (!isMissing || through <= told) return { tell, skipped: 0 };
    const isTooMuch = through - told > GroupSequence.GAP_MAX || this.#waiting.size > GroupSequence.WAITING_MAX;
    if (isTooMuch) return this.#skip(through + 1, tell);
    if (this.#fetching) return { tell, skipped: 0 };
    this.#fetching = true;
    return { tell, fetch: { from: told + 1, through }, skipped: 0 };
  }

  /** Tells `before`, then goes on with `next` as if nothing had been before it. */
  #skip(next: number, before: readonly Item[]): Step<Item> {
    const told = this.#told ?? 0;
    const skipped = Math.max(0, next - 1 - told);
    this.#told = told + skipped;
    const behind = this.#step();
    return { ...behind, tell: [...before, ...behind.tell], skipped: skipped + behind.skipped };
  }

  #advance(): Item[] {
    const tell: Item[] = [];
    let told = this.#told ?? 0;
    while (this.#waiting.has(told + 1)) {
      told += 1;
      const item = this.#waiting.get(told);
      this.#waiting.delete(told);
      if (item !== undefined) tell.push(item);
    }
    this.#told = told;
    return tell;
  }

  #firstWaiting(): number | undefined {
    return this.#waiting.size === 0 ? undefined : Math.min(...this.#waiting.keys());
  }
}

const NOTHING: Step<never> = { tell: [], skipped: 0 };
