// Labels that a person sets on cards: sent, sent again, taken back, and followed until a model in service holds them.
import { ask, newKey } from "./api.js";
import { Pool } from "./pool.js";

const AT_ONCE = 3;
const SOON_MS = 500;
const LATER_MS = 4000;
const SOON_FOR_MS = 30000;
const LATEST_MS = 600000;

/** A correction is {state, text, key, body, event_id, since, version, seconds}. `state`: saving, saved, voted, live,
 * superseded, declined or aside (saved, but the model leaves it out). `next` is what the person chose meanwhile. */
export class Labels {
  constructor(work, whenLoggedOut) {
    this.work = work;
    const whenAway = (entry, why) => this.#tell(entry, { text: why });
    this.sending = new Pool(AT_ONCE, (entry) => this.#send(entry), { whenAway, whenLoggedOut });
    this.following = new Pool(AT_ONCE, (entry) => this.#look(entry), { whenLoggedOut });
    this.pools = [this.sending, this.following];
  }

  /** Set the label of a stored image. */
  set(entry, label) {
    this.#begin(entry, { label });
  }

  /** Take the last label back: the image is then as it was before. */
  undo(entry) {
    if (mayUndo(entry)) this.#begin(entry, { label: null, no_label: "withdrawn" });
  }

  goOn(entry) {
    const { state } = entry.correction;
    if (state === "saving") this.sending.push(entry);
    else if (state === "saved") this.following.push(entry);
  }

  #begin(entry, chosen) {
    if (entry.state !== "stored") return;
    const { correction: before } = entry;
    if (before?.state === "saving") {
      if (before.body.label !== chosen.label || before.next) this.#tell(entry, { next: chosen });
      return;
    }
    const shown = entry.prediction;
    const body = { ...chosen, revision: entry.revision };
    if (shown && chosen.label !== null) {
      body.prediction_id = shown.prediction_id;
      body.shown_model_version = shown.model_version;
      body.shown_label = shown.label;
      body.shown_probability = shown.probabilities[shown.label];
    }
    const correction = { state: "saving", text: "", key: newKey(), body, since: Date.now() };
    this.work.change(entry, { correction });
    this.sending.push(entry);
  }

  #tell(entry, values) {
    this.work.change(entry, { correction: { ...entry.correction, ...values } });
  }

  async #send(entry) {
    const { correction } = entry;
    if (!this.work.entries.has(entry.id) || correction.state !== "saving") return;
    const { key, body: json } = correction;
    const { status, body } = await ask("POST", `/images/${entry.image_id}/label`, { json, key });
    if (status === 200 && body.state === "voted") this.#tell(entry, { state: "voted", text: "" });
    else if (status === 200) {
      this.work.change(entry, { label: body.label, revision: body.revision });
      this.#tell(entry, { state: "saved", text: "", event_id: body.event_id });
    } else if (status === 202) this.#tell(entry, { state: "saved", text: "", event_id: body.event_id });
    else if (body.error === "superseded") {
      this.work.change(entry, { label: body.label, revision: body.revision });
      this.#tell(entry, { state: "superseded", text: body.detail });
    } else this.#tell(entry, { state: "declined", text: body.detail ?? `The answer was HTTP status ${status}.` });
    const { next } = entry.correction;
    if (next) this.#begin(entry, next);
    else if (entry.correction.state === "saved") this.following.push(entry);
  }

  async #look(entry) {
    const { correction } = entry;
    if (!this.work.entries.has(entry.id) || correction?.state !== "saved") return undefined;
    const { status, body } = await ask("GET", `/images/${entry.image_id}/history`);
    const found = status === 200 && body.find((each) => each.event_id === correction.event_id);
    if (entry.correction !== correction) return undefined; // another one was begun meanwhile
    if (found) {
      if (found.state === "superseded") this.#tell(entry, { state: "superseded", text: "Another label came first." });
      else this.#applied(entry, found);
    }
    const waited = Date.now() - correction.since;
    if (entry.correction.state !== "saved" || waited > LATEST_MS) return undefined;
    return waited < SOON_FOR_MS ? SOON_MS : LATER_MS;
  }

  #applied(entry, found) {
    const label = found.no_label === "withdrawn" ? entry.label : found.label_to;
    if (found.revision > entry.revision) this.work.change(entry, { label, revision: found.revision });
    if (found.live_in) {
      const seconds = Math.max(0, (Date.parse(found.live_at) - Date.parse(found.occurred_at)) / 1000);
      this.#tell(entry, { state: "live", version: found.live_in, seconds });
    } else if (found.set_aside) this.#tell(entry, { state: "aside", text: found.set_aside });
  }
}

/** Whether the last thing the person did with this card is a label that holds. */
export function mayUndo(entry) {
  const { correction } = entry;
  return ["saved", "voted", "live", "aside"].includes(correction?.state) && correction.body.label !== null;
}

/** The cards that "agree with all" is about: the model is sure, and no person has said anything else. */
export function sureOnes(entries, share) {
  return entries.filter(({ state, correction, prediction, label, known }) => {
    if (state !== "stored" || correction || !prediction || known?.label) return false;
    return prediction.probabilities[prediction.label] > share && (!label || label === prediction.label);
  });
}
