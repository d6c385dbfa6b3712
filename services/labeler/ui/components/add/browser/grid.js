// The cards, their order, their keys, and the lines above them.
import { Card, element } from "./card.js";
import { sureOnes } from "./labels.js";
import { doubtfulFirst, settled } from "./order.js";
import { lost, summary, unsent } from "./words.js";

const SURE = 0.95;
const MISSING = ["lost", "waiting", "sending", "saving"];

export class Grid {
  constructor(root) {
    this.summary = element("div", { className: "summary", role: "status" });
    this.unsent = element("div", { className: "notice", role: "alert", hidden: true });
    this.lost = element("div", { className: "notice", hidden: true });
    this.bar = element("div", { className: "bar" });
    this.list = element("ul", { className: "cards", ariaLabel: "The added images" });
    this.keys = element("div", { className: "keys" });
    root.replaceChildren(this.unsent, this.lost, this.summary, this.bar, this.keys, this.list);
    this.list.addEventListener("keydown", (event) => this.#press(event));
    this.list.addEventListener("focusin", (event) => this.#select(event.target.closest(".card"), false));
    this.cards = new Map();
    this.dirty = new Set();
    this.sorted = false;
    this.frame = 0;
  }

  /** Show the work of a person. `labels` are all labels, in their order; none for a person who may not set them. */
  show(work, labels) {
    const again = this.work === work && `${this.labels}` === `${labels}`;
    Object.assign(this, { work, labels });
    if (again) return;
    this.cards.clear();
    this.list.replaceChildren();
    this.sorted = false;
    this.selected = null;
    this.changed(null);
    work.list.forEach((entry) => this.changed(entry));
  }

  /** Draw an entry again, with the next frame; null: those that are gone. */
  changed(entry) {
    this.dirty.add(entry);
    this.frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.frame = 0;
    const { work } = this, entries = work.list;
    for (const entry of this.dirty) if (entry && work.entries.has(entry.id)) this.#drawCard(entry);
    if (this.dirty.has(null)) this.#dropCards();
    this.dirty.clear();
    this.#arrange(entries);
    this.#drawLines(entries);
  }

  #drawCard(entry) {
    let card = this.cards.get(entry.id);
    if (!card) {
      const { work } = this, choose = (each, label) => work.labels.set(each, label);
      const undo = (each) => work.labels.undo(each), remove = (each) => work.remove(each);
      card = new Card(entry, this.labels, { choose, undo, remove });
      this.cards.set(entry.id, card);
      this.list.append(card.root);
      this.sorted = false;
    }
    card.draw();
  }

  #dropCards() {
    for (const [id, card] of this.cards) {
      if (this.work.entries.has(id)) continue;
      card.root.remove();
      this.cards.delete(id);
    }
  }

  /** Sort once all answers are there; then the cards stay where they are, until more files come. */
  #arrange(entries) {
    if (!this.list.querySelector('.card[tabindex="0"]')) this.#select(this.list.firstElementChild, false);
    if (this.sorted || entries.length < 2 || !settled(entries)) return;
    this.sorted = true;
    const focused = this.list.getRootNode().activeElement?.closest?.(".card");
    const order = doubtfulFirst(entries).map((entry) => this.cards.get(entry.id).root);
    order.forEach((root, index) => {
      const there = this.list.children[index];
      if (there !== root) this.list.insertBefore(root, there ?? null);
    });
    if (focused) focused.focus();
    else this.#select(order[0], false);
  }

  #drawLines(entries) {
    const { work } = this, loggedOut = work.pools.some((pool) => pool.stopped);
    this.summary.textContent = entries.length ? summary(entries) : "";
    const waits = unsent(entries, loggedOut);
    if (this.unsent.firstChild?.textContent !== waits) {
      const again = element("button", { textContent: "Try again" });
      again.onclick = () => work.tryAgain();
      this.unsent.replaceChildren(...(waits ? [element("span", { textContent: waits }), again] : []));
    }
    this.unsent.hidden = !waits;
    const gone = lost(entries);
    if (this.lost.textContent !== gone) this.lost.textContent = gone;
    this.lost.hidden = !gone;
    this.#drawBar(entries);
    const labelled = entries.some(({ state }) => state === "stored");
    this.keys.textContent = labelled && this.labels.length ? "Keys on a card: arrows move, 1 to 9 label, Enter agrees, U takes back." : "";
  }

  #drawBar(entries) {
    const sure = this.labels.length ? sureOnes(entries, SURE).length : 0;
    const done = entries.some(({ state }) => !MISSING.includes(state));
    const drawn = `${sure} ${done}`;
    if (this.bar.dataset.drawn === drawn) return;
    this.bar.dataset.drawn = drawn;
    const agree = element("button", { className: "primary", textContent: `Agree with all above 95 % (${sure})` });
    agree.onclick = () => {
      for (const entry of sureOnes(this.work.list, SURE)) this.work.labels.set(entry, entry.prediction.label);
    };
    const title = "The images stay stored. Files that are not stored stay in the list.";
    const clear = element("button", { textContent: "Clear the list", title });
    clear.onclick = () => {
      const over = ({ state, correction }) => !MISSING.includes(state) && correction?.state !== "saving";
      for (const entry of this.work.list.filter(over)) this.work.remove(entry);
    };
    this.bar.replaceChildren(...(sure ? [agree] : []), ...(done ? [clear] : []));
  }

  #select(root, focus = true) {
    const card = root && this.#cardOf(root);
    if (!card) return;
    if (this.selected !== card) this.selected?.select(false);
    this.selected = card;
    card.select(true);
    if (!focus) return;
    root.focus();
    root.scrollIntoView({ block: "nearest" });
  }

  #cardOf(root) {
    return this.cards.get(root.dataset.id);
  }

  #press(event) {
    const root = event.target.closest(".card");
    if (!root || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    const card = this.#cardOf(root);
    if (!card || !this.#act(card, event.key, event.target === root, event.repeat)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Do what a key means on a card; return whether it means something. */
  #act(card, key, onCard, repeated) {
    const { entry, root } = card, labels = this.work.labels;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns(), ArrowUp: -this.#columns() };
    if (key in moves) return this.#move(root, moves[key]), true;
    if (entry.state !== "stored" || repeated || !this.labels.length) return false;
    const label = key === "Enter" && onCard ? entry.prediction?.label : this.labels[Number.parseInt(key, 10) - 1];
    if (key.toLowerCase() === "u") return labels.undo(entry), true;
    if (!label) return false;
    labels.set(entry, label);
    this.#move(root, 1);
    return true;
  }

  #move(root, by) {
    const cards = [...this.list.children], to = Math.max(0, Math.min(cards.length - 1, cards.indexOf(root) + by));
    this.#select(cards[to]);
  }

  #columns() {
    const [first, ...others] = this.list.children;
    const next = others.findIndex((each) => each.offsetTop !== first.offsetTop);
    return next < 0 ? this.list.children.length : next + 1;
  }
}
