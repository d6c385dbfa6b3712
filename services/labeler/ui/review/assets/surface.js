// The surface of Review: it shows the next image as soon as a key is pressed, and tells Python what was decided in its
// own time. Python decides nothing about what is shown now; it says what comes next and what became of the moves.

import { View } from "./view.js";
import { Keys } from "./keys.js";
import { Network } from "./network.js";
import { Store } from "./store.js";

const SOONEST_MS = 120, LATEST_MS = 1500, IDLE_MS = 10000;
const surfaces = new WeakMap();

export default function mount({ data, parentElement, setStateValue }) {
  let surface = surfaces.get(parentElement);
  if (!surface || surface.store.kept !== "pappus-review:" + data.person) {
    surface?.close();
    surface = new Surface(parentElement.querySelector("#review"), data);
    surfaces.set(parentElement, surface);
  }
  surface.update(data, setStateValue);
  return () => setTimeout(() => leave(parentElement));
}

// Streamlit also asks to clean up when newer data overtook the start, and then the surface stays.
function leave(parentElement) {
  if (parentElement.isConnected) return;
  surfaces.get(parentElement)?.close();
  surfaces.delete(parentElement);
}

class Surface {
  constructor(root, data) {
    this.store = new Store(data.person);
    this.view = new View(root, this);
    this.keys = new Keys(this);
    this.network = new Network(() => this.say());
    this.note = "";
    this.asked = 0;
    this.pause = SOONEST_MS;
    root.tabIndex = -1;  // else Enter would press the link to this page once more
    if (!document.activeElement?.matches("input, textarea")) root.focus({ preventScroll: true });
  }

  update(data, setStateValue) {
    this.data = data;
    this.setStateValue = setStateValue;
    this.network.answered();
    const shown = this.store.current?.id, first = this.asked === 0;
    this.store.update(data);
    if (shown !== this.store.current?.id) this.note = "";
    this.view.draw();
    if (first || shown !== this.store.current?.id) this.say();
    else this.later();
  }

  // Tell Python which moves it has not confirmed, and which image is shown. It answers with `update`.
  say() {
    this.asked += 1;
    const said = {
      moves: this.store.unconfirmed(), current: this.store.current?.id ?? null, asked: this.asked,
      chosen: this.store.chosen, answered: this.store.checked,
    };
    this.pause = Math.min(this.pause * 1.4, LATEST_MS);
    this.network.said();
    this.view.drawNetwork();
    this.setStateValue("said", said);
    this.later();
  }

  later() {
    clearTimeout(this.timer);
    const { store, network } = this;
    const busy = store.waiting() || this.data.more || store.choosing() || network.unanswered !== null;
    this.timer = setTimeout(() => this.say(), busy ? this.pause : IDLE_MS);
  }

  close() {
    clearTimeout(this.timer);
    this.keys.close();
    this.network.close();
    this.view.close();
  }

  // What a key or a button does. What is shown changes at once; what Python is told follows.
  act(change) {
    change();
    this.note = "";
    this.view.refuse("");
    this.view.draw();
    this.pause = SOONEST_MS;
    clearTimeout(this.timer);
    queueMicrotask(() => this.say());
  }

  // Whether a label may be set: the person sees the picture.
  mayDecide() {
    if (this.data.paused) return this.view.refuse(this.data.paused);
    if (this.store.check()) return this.view.refuse("Not counted: answer the question first.");
    const item = this.store.current;
    if (!item) return this.view.refuse("There is no image to decide about.");
    const { state } = this.view.pictures.get(item.id);
    if (state === "loading") return this.view.refuse("Not counted: the picture is not there yet.");
    if (state === "failed") return this.view.refuse("Not counted: the picture is not there. T tries again, S goes on.");
    return true;
  }

  label(label) {
    if (!this.mayDecide()) return;
    this.act(() => this.store.decide("label", { label }, this.note));
  }

  none(no_label) {
    if (!this.mayDecide()) return;
    this.act(() => this.store.decide("no_label", { no_label }, this.note));
  }

  agree() {
    const label = this.suggested();
    if (label) this.label(label);
    else this.view.refuse("There is no answer to agree with yet.");
  }

  suggested() {
    const item = this.store.current;
    return item?.answer?.label ?? item?.label ?? null;
  }

  // Work through another queue.
  choose(queue) {
    if (queue !== this.store.queueName()) this.act(() => this.store.choose(queue));
  }

  // Answer the question about the last labels: they were meant, or the last one is looked at again.
  answer(again) {
    if (!this.store.check()) return;
    this.act(() => {
      this.store.answerCheck();
      if (again) this.store.back();
    });
  }

  skip() {
    if (!this.store.current || this.data.paused || this.store.check()) return;
    this.act(() => this.store.decide("later"));
  }

  undo() {
    if (!this.store.undoable()) return this.view.refuse("There is nothing to undo.");
    this.act(() => this.store.undo());
  }

  redo() {
    if (!this.store.redo.length) return this.view.refuse("There is nothing to do again.");
    this.act(() => this.store.again());
  }

  back() {
    this.act(() => this.store.back());
  }

  forward() {
    if (this.store.current?.back) this.act(() => this.store.forward());
  }

  open(move) {
    this.act(() => this.store.back(move));
  }

  lookAgain() {
    this.act(() => this.store.lookAgain());
  }

  retryPicture() {
    if (this.store.current) this.view.pictures.again(this.store.current.id);
    this.view.draw();
  }

  find() {
    if (this.mayDecide()) this.view.finder.open(this.data.labels, this.likely());
  }

  likely() {
    return (this.store.current?.answer?.top ?? []).map(([label]) => label);
  }

  setNote(text) {
    this.note = text;
    this.view.draw();
  }

  // The labels that have keys. Up to nine: as configured. Of more: the likeliest for this image, which stay where they
  // are while it is shown.
  keyed() {
    const { labels } = this.data, item = this.store.current;
    if (labels.length <= 9 || !item) return labels.slice(0, 9);
    if (!item.order) {
      const first = this.likely().filter((label) => labels.includes(label));
      item.order = [...first, ...labels.filter((label) => !first.includes(label))].slice(0, 9);
    }
    return item.order;
  }

  // The two labels that a phone offers first.
  likeliest() {
    const first = this.likely().filter((label) => this.data.labels.includes(label));
    const rest = this.data.labels.filter((label) => !first.includes(label));
    return [...first, ...rest].slice(0, 2);
  }
}
