/** How long a test waits for something that must happen before it calls it missing. Generous: the machine may be busy. */
export const DEADLINE_MS = 30_000;

/**
 * What happened so far, in order, and a way to wait for what is still to come.
 *
 * @template T
 */
export class Journal {
  /** @param {string} name Names the journal in messages about something missing. */
  constructor(name) {
    this.name = name;
    /** @type {T[]} */
    this.entries = [];
    /** @type {Set<T>} Entries that `next` has handed out. */
    this.taken = new Set();
    /** @type {Set<() => void>} */
    this.waiting = new Set();
    /** @type {Error | undefined} */
    this.ended = undefined;
  }

  /** @param {T} entry */
  add(entry) {
    this.entries.push(entry);
    for (const check of [...this.waiting]) check();
  }

  /** Nothing can come any more: whoever waits is told why. @param {Error} reason */
  end(reason) {
    this.ended = reason;
    for (const check of [...this.waiting]) check();
  }

  /**
   * The first entry that `predicate` accepts and that was not handed out before; waits for it when there is none yet.
   *
   * @param {(entry: T) => boolean} predicate
   * @param {{deadlineMs?: number, what?: string}} [options]
   * @returns {Promise<T>}
   */
  next(predicate, { deadlineMs = DEADLINE_MS, what = 'entry' } = {}) {
    return this.#wait(
      () => {
        const found = this.entries.find((entry) => !this.taken.has(entry) && predicate(entry));
        if (found !== undefined) this.taken.add(found);
        return found;
      },
      deadlineMs,
      what,
    );
  }

  /**
   * Waits until at least `count` entries satisfy `predicate`; returns them all. Hands nothing out.
   *
   * @param {number} count
   * @param {(entry: T) => boolean} predicate
   * @param {{deadlineMs?: number, what?: string}} [options]
   * @returns {Promise<T[]>}
   */
  atLeast(count, predicate, { deadlineMs = DEADLINE_MS, what = `${count} entries` } = {}) {
    return this.#wait(
      () => {
        const found = this.entries.filter(predicate);
        return found.length >= count ? found : undefined;
      },
      deadlineMs,
      what,
    );
  }

  /**
   * @template R
   * @param {() => R | undefined} look
   * @param {number} deadlineMs
   * @param {string} what
   * @returns {Promise<R>}
   */
  #wait(look, deadlineMs, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(this.#missing(what, `within ${deadlineMs} ms`))), deadlineMs);
      const check = () => {
        let found;
        try {
          found = look();
        } catch (error) {
          finish(() => reject(error));
          return;
        }
        if (found !== undefined) finish(() => resolve(/** @type {R} */ (found)));
        else if (this.ended) finish(() => reject(this.#missing(what, `before the end: ${this.ended?.message}`)));
      };
      const finish = (/** @type {() => void} */ settle) => {
        clearTimeout(timer);
        this.waiting.delete(check);
        settle();
      };
      this.waiting.add(check);
      check();
    });
  }

  /** @param {string} what @param {string} when */
  #missing(what, when) {
    const last = this.entries.slice(-12).map((entry) => `  ${JSON.stringify(entry)?.slice(0, 600)}`);
    return new Error(`${this.name}: no ${what} ${when}. Last entries:\n${last.join('\n')}`);
  }
}
