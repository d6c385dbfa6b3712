// Work that is done a few pieces at a time, and again later while something is away.
import { Away, LoggedOut } from "./api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30000;

/** `act(item)` does one piece. It returns after how many milliseconds it is to be called again, or nothing when it is
 * done. If it throws Away, all pause for a while, longer each time; after LoggedOut they wait until `resume`. */
export class Pool {
  constructor(atOnce, act, { whenAway = () => {}, whenLoggedOut = () => {} } = {}) {
    Object.assign(this, { atOnce, act, whenAway, whenLoggedOut });
    this.waiting = [];
    this.running = new Set();
    this.failures = 0;
    this.pausedUntil = 0;
    this.stopped = false;
    this.timer = 0;
  }

  push(item, afterMs = 0) {
    this.waiting.push({ item, due: Date.now() + afterMs });
    this.pump();
  }

  /** Try everything again at once. */
  resume() {
    this.stopped = false;
    this.pausedUntil = 0;
    this.pump();
  }

  /** Drop what waits. What is under way ends, and is not done again. */
  clear() {
    this.waiting = [];
    this.stopped = true;
  }

  pump() {
    clearTimeout(this.timer);
    const now = Date.now();
    while (!this.stopped && now >= this.pausedUntil && this.running.size < this.atOnce) {
      const next = this.waiting.findIndex((each) => each.due <= now);
      if (next < 0) break;
      this.#run(this.waiting.splice(next, 1)[0].item);
    }
    if (this.stopped || !this.waiting.length) return;
    const due = Math.max(this.pausedUntil, Math.min(...this.waiting.map((each) => each.due)));
    this.timer = setTimeout(() => this.pump(), Math.max(50, due - now));
  }

  async #run(item) {
    this.running.add(item);
    let again;
    try {
      await null; // whoever pushed it goes on first
      again = await this.act(item);
      this.failures = 0;
    } catch (error) {
      again = this.#later(error, item);
    }
    this.running.delete(item);
    if (again !== undefined) this.waiting.push({ item, due: Date.now() + again });
    this.pump();
  }

  /** Return after how many milliseconds the item comes again; nothing for a mistake in the code. */
  #later(error, item) {
    if (error instanceof LoggedOut) {
      this.stopped = true;
      this.whenLoggedOut();
      return 0;
    }
    if (!(error instanceof Away)) {
      console.error(error);
      return undefined;
    }
    this.failures += 1;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.failures, 10));
    this.pausedUntil = Date.now() + pause;
    this.whenAway(item, error.message);
    return 0;
  }
}
