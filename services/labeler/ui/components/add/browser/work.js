// The files that a person added in this tab, and what became of each. Kept over a reload, but for the files themselves.
import { newKey } from "./api.js";
import { AnswerFollower } from "./answers.js";
import { Labels } from "./labels.js";
import { Sender } from "./sender.js";

const SAVE_MS = 300;
export const MOST_ENTRIES = 5000;
const UNDONE = new Set(["waiting", "sending"]);

/** One file is an entry: {id, name, size, modified, from, url, label, state, why, image_id, revision, quarantined,
 * known, near, prediction, correction}. `state`: waiting, sending, saving (accepted, not stored yet), stored, refused,
 * or lost: the browser has the file no more, and it was not stored. `id` is its idempotency key, too. */
export class Work {
  constructor(person, changed, whenLoggedOut) {
    this.person = person;
    this.place = `pappus-add:${person}`;
    this.entries = new Map();
    this.files = new Map();
    this.changed = changed;
    this.labels = new Labels(this, whenLoggedOut);
    this.answers = new AnswerFollower(this, whenLoggedOut);
    this.sender = new Sender(this, whenLoggedOut);
    this.pools = [this.sender.pool, ...this.answers.pools, ...this.labels.pools];
    this.#restore();
  }

  get list() {
    return [...this.entries.values()];
  }

  /** Whether a file of the person is not stored, and would be lost with this page. */
  get unsent() {
    return this.list.some((entry) => UNDONE.has(entry.state) || entry.correction?.state === "saving");
  }

  /** Add a file: `source` is {name, size, modified, from, url, read}; `read` returns its bytes as a Blob. A file that a
   * reload took away goes on where it was. */
  add(source, label) {
    const lost = this.list.find((entry) => entry.state === "lost" && same(entry, source));
    if (!lost && this.entries.size >= MOST_ENTRIES) return false;
    const entry = lost ?? { id: newKey(), ...facts(source), label: label ?? null, revision: 0 };
    this.files.set(entry.id, source.read);
    this.entries.set(entry.id, entry);
    this.change(entry, { state: source.refused ? "refused" : "waiting", why: source.refused ?? "" });
    if (!source.refused) this.sender.pool.push(entry);
    return true;
  }

  change(entry, values) {
    if (!this.entries.has(entry.id)) return;
    Object.assign(entry, values);
    this.changed(entry);
    this.saving ??= setTimeout(() => this.save(), SAVE_MS);
  }

  remove(entry) {
    this.entries.delete(entry.id);
    this.files.delete(entry.id);
    this.changed(null);
    this.save();
  }

  tryAgain() {
    for (const pool of this.pools) pool.resume();
  }

  /** Stop, when another person logs in: nothing of this one is shown or sent. */
  end() {
    for (const pool of this.pools) pool.clear();
    this.save();
  }

  save() {
    clearTimeout(this.saving);
    this.saving = undefined;
    try {
      sessionStorage.setItem(this.place, JSON.stringify(this.list));
    } catch {
      // The browser gives this tab no more room: a reload forgets the newest of the list; the images are stored.
    }
  }

  #restore() {
    for (const entry of JSON.parse(sessionStorage.getItem(this.place) ?? "[]")) {
      this.entries.set(entry.id, entry);
      if (UNDONE.has(entry.state)) Object.assign(entry, { state: entry.url ? "waiting" : "lost", why: "" });
      if (entry.state === "waiting") this.sender.pool.push(entry);
      if (entry.state === "saving" || (entry.state === "stored" && !entry.prediction)) this.answers.follow(entry);
      if (entry.correction) this.labels.goOn(entry);
    }
  }
}

function facts({ name, size = 0, modified = 0, from = "", url = "" }) {
  return { name, size, modified, from, url };
}

function same(entry, source) {
  return entry.name === source.name && entry.size === source.size && entry.from === (source.from ?? "");
}
