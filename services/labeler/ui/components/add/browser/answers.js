// What the labeler knows of an image that was sent: whether it is stored, known or like others, and the answer.
import { ask } from "./api.js";
import { Pool } from "./pool.js";

const AT_ONCE = 3;
const SOON_MS = 400;
const LATER_MS = 4000;
const SOON_TIMES = 40;
const MOST_TIMES = 200;

export class AnswerFollower {
  constructor(work, whenLoggedOut) {
    this.work = work;
    this.times = new Map();
    this.pool = new Pool(AT_ONCE, (entry) => this.#look(entry), { whenLoggedOut });
    this.pools = [this.pool];
  }

  follow(entry) {
    this.times.set(entry.id, 0);
    this.pool.push(entry);
  }

  async #look(entry) {
    if (!this.work.entries.has(entry.id)) return undefined;
    const { status, body } = await ask("GET", `/images/${entry.image_id}`);
    const times = (this.times.get(entry.id) ?? 0) + 1;
    this.times.set(entry.id, times);
    if (status === 404) return this.#again(entry, times); // not in the tables yet
    if (body.duplicate_of) return void (await this.#known(entry, body.duplicate_of));
    if (body.rejection && body.state !== "stored") {
      this.work.change(entry, { state: "refused", why: body.rejection.detail });
      return undefined;
    }
    if (body.state !== "stored") return this.#again(entry, times);
    await this.#stored(entry, body);
    return entry.prediction ? undefined : this.#again(entry, times);
  }

  async #known(entry, other) {
    this.work.change(entry, { image_id: other, known: {} });
    this.follow(entry);
  }

  async #stored(entry, image) {
    const prediction = image.prediction ?? entry.prediction;
    const values = { state: "stored", quarantined: image.joins?.length > 0, prediction };
    if (!entry.correction) Object.assign(values, { label: image.label, revision: image.revision });
    if (entry.near === undefined) values.near = await nearDuplicates(entry.image_id);
    if (entry.known && !entry.known.told) values.known = await whoKnew(image);
    if (values.prediction) values.unanswered = false;
    this.work.change(entry, values);
  }

  #again(entry, times) {
    if (times >= SOON_TIMES && !entry.unanswered) this.work.change(entry, { unanswered: true });
    if (times >= MOST_TIMES) return undefined;
    return times < SOON_TIMES ? SOON_MS : LATER_MS;
  }
}

async function nearDuplicates(imageId) {
  const { status, body } = await ask("GET", `/images/${imageId}/story?limit=0`);
  return status === 200 ? (body.near_duplicates ?? []).slice(0, 50) : [];
}

/** Return by whom and since when a known image has its label. */
async function whoKnew(image) {
  const { status, body } = await ask("GET", `/images/${image.image_id}/history`);
  const applied = status === 200 ? body.filter((each) => each.state === "applied").pop() : undefined;
  const by = applied?.corrected_by ?? image.corrected_by ?? (image.trust === "seed" ? null : image.registered_by);
  return { told: true, label: image.label, by, at: applied?.occurred_at ?? null, seed: image.trust === "seed" };
}
