// What a person did in this tab: a numbered list of moves, kept in the tab's storage until Python has confirmed each.
// No DOM in here. An item is an image as Python tells of it; `after` names the move whose revision it stands on.

const KEPT = 60;
const BOUNCED = ["superseded", "declined"];

export class Store {
  constructor(person) {
    this.kept = "pappus-review:" + person;
    const kept = JSON.parse(sessionStorage.getItem(this.kept) ?? "null");
    Object.assign(this, { number: 0, done: 0, moves: [], front: [], redo: [], current: null, checked: "" }, kept);
    this.queue = [];
    this.told = null;
    this.chosen = null;  // the queue that was chosen here last, with the time as its number
    this.restored = this.current !== null && !this.current.opened;
  }

  // Take what Python tells. Return nothing; `current` stays as it is unless it is gone.
  update(told) {
    this.told = told;
    for (const move of this.moves) {
      const outcome = told.outcomes[move.key];
      if (!outcome) continue;
      const first = !move.outcome?.final && outcome.final;
      move.outcome = outcome;
      if (first && BOUNCED.includes(outcome.state)) this.bounce(move);
    }
    this.queue = this.choosing() ? [] : told.items;
    this.refresh();
    const gone = this.current && told.dropped.includes(this.current.id);
    const stale = this.restored && !this.queue.some((item) => item.id === this.current?.id);
    this.restored = false;
    if (!this.current || gone || stale) this.advance();
    this.save();
  }

  // Work through another queue: what is shown goes back to where it came from.
  choose(queue) {
    this.chosen = { queue, number: Date.now() };
    this.current = null;
    Object.assign(this, { front: [], redo: [], queue: [] });
    this.save();
  }

  // Whether Python does not know yet which queue was chosen.
  choosing() {
    return Boolean(this.chosen) && this.told.chosen < this.chosen.number;
  }

  queueName() {
    return this.choosing() ? this.chosen.queue : this.told.queue;
  }

  // The question that is still to be answered, null for none.
  check() {
    const check = this.told?.check;
    return check && check.key !== this.checked ? check : null;
  }

  answerCheck() {
    this.checked = this.told.check.key;
    this.save();
  }

  // Facts that arrived later, such as an answer of the model; an image that was opened again keeps its own.
  refresh() {
    const newer = this.current && !this.current.opened && this.queue.find((item) => item.id === this.current.id);
    if (newer && !this.current.answer) this.current = { ...newer, order: this.current.order };
  }

  standing(id) {
    return this.moves.findLast((move) => move.item.id === id && this.stands(move)) ?? null;
  }

  stands(move) {
    if (move.kind === "undo" || move.undone) return false;
    if (move.kind === "later" && move.queue !== this.queueName()) return false;
    return !BOUNCED.includes(move.outcome?.state) || this.agreed(move);
  }

  agreed(move) {
    return move.kind === "label" && move.outcome?.state === "superseded" && move.outcome.label === move.label;
  }

  next() {
    const away = (item) =>
      item.id === this.current?.id || this.standing(item.id) || this.told.dropped.includes(item.id) ||
      this.front.some((other) => other.id === item.id);
    return [...this.front, ...this.queue.filter((item) => !away(item))];
  }

  advance() {
    this.current = null;
    [this.current = null] = this.next();
    this.front = this.front.filter((item) => item.id !== this.current?.id);
  }

  open(item) {
    if (this.current && !this.current.back) this.front.unshift(this.current);
    this.front = this.front.filter((other) => other.id !== item.id);
    this.current = { ...item, opened: true };
  }

  // Make a move about the current image, and go on to the next.
  decide(kind, facts = {}, reason = "") {
    const item = this.current;
    if (kind === "later" && item.back) return this.forward();
    this.redo = [];
    this.add(kind, item, { ...facts, reason, counted: kind !== "later" && !item.back });
    this.advance();
    this.save();
  }

  add(kind, item, facts = {}) {
    const move = {
      number: ++this.number, key: crypto.randomUUID?.() ?? randomKey(), kind, item, label: null, no_label: null,
      reason: "", of: null, undoes: null, queue: this.queueName(), ...facts,
    };
    move.after = facts.after ?? item.after ?? null;
    move.revision = move.after ? this.find(move.after)?.outcome?.revision ?? null : item.revision;
    if (move.counted) this.done += 1;
    this.moves.push(move);
    const unconfirmed = (one) => !one.outcome?.final;
    this.moves = this.moves.filter((one, at) => at >= this.moves.length - KEPT || unconfirmed(one));
    return move;
  }

  find(key) {
    return this.moves.find((move) => move.key === key);
  }

  undoable() {
    return this.moves.findLast((move) => this.stands(move) && !this.agreed(move)) ?? null;
  }

  undo() {
    const move = this.undoable();
    if (!move) return;
    const undo = this.take(move);
    this.redo.push(move.key);
    const why = ["Your last move is undone. The image is as it was before."];
    this.open({ ...move.item, back: null, after: undo.after_undo, why });
    this.save();
  }

  take(move) {
    move.undone = true;
    if (move.counted) this.done -= 1;
    const undo = this.add("undo", move.item, {
      of: move.key, undoes: move.kind === "later" ? "later" : "decision", queue: move.queue,
      after: move.kind === "later" ? move.item.after : move.key,
    });
    undo.after_undo = move.kind === "later" ? move.item.after ?? null : undo.key;
    return undo;
  }

  again() {
    const move = this.find(this.redo.pop());
    if (!move) return;
    const undo = this.moves.findLast((one) => one.kind === "undo" && one.of === move.key);
    const { kind, label, no_label, reason, counted } = move;
    this.add(kind, { ...move.item, after: undo?.after_undo ?? move.item.after }, { label, no_label, reason, counted });
    this.front = this.front.filter((item) => item.id !== move.item.id);
    if (this.current?.id === move.item.id || !this.current) this.advance();
    this.save();
  }

  // Look again at an image that was dealt with; with no `move`, at the one before.
  back(move = null) {
    const before = this.current?.back ? this.moves.findIndex((one) => one.key === this.current.back) : this.moves.length;
    const seen = move ?? this.moves.slice(0, before).findLast((one) => this.stands(one) && one.kind !== "later");
    if (!seen) return;
    const label = seen.label ?? null;
    const why = [`You said: ${said(seen)}. Another key changes that; S goes on.`];
    const item = { ...seen.item, label, why, back: seen.key, after: seen.key };
    this.open(item);
    this.save();
  }

  forward() {
    this.advance();
    this.save();
  }

  // Show what was left for later once more.
  lookAgain() {
    for (const move of this.moves.filter((one) => one.kind === "later" && this.stands(one))) this.take(move);
    this.redo = [];
    this.advance();
    this.save();
  }

  // Another person was first, or it was refused: the image comes again, after the one that is shown.
  bounce(move) {
    if (this.agreed(move) || (move.undone && move.kind !== "undo")) {
      if (move.counted && !move.undone) this.done -= 1;
      move.counted = false;
      return;
    }
    const { state, label, revision, detail } = move.outcome;
    if (move.counted) this.done -= 1;
    move.counted = false;
    const again = { ...move.item, opened: true, back: null };
    if (state === "superseded") {
      const why = [detail, "Do you agree? Press S to keep that label.", label ? `Label: ${label}.` : ""];
      Object.assign(again, { label, revision, after: null, why: why.filter(Boolean), conflict: true });
    } else {
      again.why = [`${move.kind === "undo" ? "Not undone" : "Not saved"}. ${detail}`, "Press S to leave it for later."];
    }
    if (this.current?.id === again.id) this.current = { ...again, order: this.current.order };
    else this.front = [again, ...this.front.filter((item) => item.id !== again.id)];
  }

  left() {
    const unknown = this.moves.filter((move) => !move.outcome && move.counted && !move.undone).length;
    return Math.max(0, (this.told?.left ?? 0) - unknown);
  }

  waiting() {
    return this.moves.some((move) => !move.outcome?.settled);
  }

  // The moves that are not confirmed, as Python reads them.
  unconfirmed() {
    return this.moves.filter((move) => !move.outcome?.final).map((move) => ({
      number: move.number, key: move.key, kind: move.kind, image_id: move.item.id, label: move.label,
      no_label: move.no_label, label_before: move.item.label, reason: move.reason, revision: move.revision,
      after: move.after, of: move.of, undoes: move.undoes, queue: move.queue, shown: move.kind === "undo" ? null : shown(move.item.answer),
    }));
  }

  save() {
    const { number, done, moves, front, redo, current, checked } = this;
    sessionStorage.setItem(this.kept, JSON.stringify({ number, done, moves, front, redo, current, checked }));
  }
}

export const NO_LABEL = { unsure: "unsure", none_of_these: "none of these", unusable: "unusable" };

export function said(move) {
  if (move.kind === "undo") return "undone";
  if (move.kind === "later") return "for later";
  return move.label ?? NO_LABEL[move.no_label];
}

function shown(answer) {
  if (!answer) return null;
  const { prediction_id, model_version, label, probability } = answer;
  return { prediction_id, model_version, label, probability };
}

function randomKey() {  // where the page is not served over HTTPS or from this machine
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
