// Sends files to the labeler, three at a time, until each is stored or refused.
import { ask } from "./api.js";
import { Pool } from "./pool.js";

const AT_ONCE = 3;
const UNREADABLE = "The browser can no longer read it: it was moved, changed or deleted. Choose it again.";

export class Sender {
  constructor(work, whenLoggedOut) {
    this.work = work;
    this.pool = new Pool(AT_ONCE, (entry) => this.#send(entry), {
      whenAway: (entry, why) => work.change(entry, { state: "waiting", why }),
      whenLoggedOut,
    });
    addEventListener("online", () => this.pool.resume());
  }

  async #send(entry) {
    const { work } = this;
    if (!work.entries.has(entry.id) || entry.state !== "waiting") return;
    work.change(entry, { state: "sending" });
    const form = new FormData();
    if (entry.label) form.append("label", entry.label);
    if (entry.url) form.append("url", entry.url);
    else {
      const file = await readable(work.files.get(entry.id));
      if (!(file instanceof Blob)) {
        work.change(entry, { state: file ? "refused" : "lost", why: file || UNREADABLE });
        return;
      }
      form.append("file", file, entry.name);
    }
    const { status, body } = await ask("POST", "/images", { form, key: entry.id }).catch((error) => {
      work.change(entry, { state: "waiting" });
      throw error;
    });
    const why = body.detail ?? `The answer was HTTP status ${status}.`;
    if (status >= 400) work.change(entry, { state: "refused", why });
    else this.#taken(entry, status, body);
    if (entry.state !== "waiting") work.files.delete(entry.id);
  }

  #taken(entry, status, body) {
    const known = body.duplicate_of ? {} : null;
    if (status === 202) this.work.change(entry, { state: "saving", why: "", image_id: body.image_id });
    else {
      const { image_id, label, revision, quarantined } = body;
      this.work.change(entry, { state: "stored", why: "", image_id, label, revision, quarantined, known });
    }
    this.work.answers.follow(entry);
  }
}

/** Return the bytes of a file; a sentence if they may not be sent; "" if they cannot be read any more. */
async function readable(read) {
  try {
    const file = await read();
    await file.slice(0, 1).arrayBuffer();
    return file;
  } catch (error) {
    return error.forPerson ?? "";
  }
}
