// Draws the surface. Everything has its place from the beginning; only texts and pictures change.

import { Check, Chooser } from "./chooser.js";
import { element, keyButton, setText } from "./elements.js";
import { Finder } from "./finder.js";
import { HELP } from "./keys.js";
import { Pictures, Stage, thumbnail } from "./pictures.js";
import { said } from "./store.js";

const FILM = 10, HELD = 24, LAST = 5, BARS = 3;
const LOST = "No connection. Go on: this tab keeps what you decide, and sends it when the connection is back.";

export class View {
  constructor(root, surface) {
    this.surface = surface;
    this.root = root;
    this.pictures = new Pictures(() => this.draw());
    this.build();
    this.stage = new Stage(this.box);
    this.finder = new Finder(this.middle, (label) => surface.label(label));
    this.resized = new ResizeObserver(() => this.stage.place());
    this.resized.observe(this.box);
  }

  build() {
    const { surface } = this;
    this.progress = element("span", { className: "progress" });
    this.bar = element("span", { className: "bar" });
    const help = keyButton("?", "Keys", () => this.toggleHelp());
    this.chooser = new Chooser((queue) => surface.choose(queue));
    this.check = new Check((again) => surface.answer(again));
    this.head = element("div", { className: "head" }, element("h1", { textContent: "Review" }), this.chooser.list, this.progress,
      element("span", { className: "track", ariaHidden: "true" }, this.bar), help);
    this.box = element("div", { className: "stage" });
    this.over = element("p", { className: "over" });
    this.status = element("p", { className: "status", role: "status" });
    this.lost = element("p", { className: "lost", role: "status" });
    this.noteField = element("input", { type: "text", maxLength: 500, placeholder: "A note about this image, then Enter",
      ariaLabel: "Note", className: "note", hidden: true });
    this.noteField.addEventListener("keydown", (event) => this.noteKey(event));
    this.middle = element("div", { className: "middle" }, this.box, this.over, this.lost, this.noteField, this.status);
    this.says = element("h2");
    this.version = element("p", { className: "version" });
    this.bars = element("div", { className: "bars" });
    this.why = element("div", { className: "why" });
    this.last = element("ol", { className: "last" });
    this.side = element("div", { className: "side" },
      element("div", { className: "answer", role: "region", ariaLabel: "Answer and reasons", tabIndex: 0 }, this.says, this.version, this.bars, this.why),
      element("h3", { textContent: `Last ${LAST}` }), this.last);
    this.classes = element("div", { className: "classes", role: "group", ariaLabel: "Classes" });
    this.agree = keyButton("Enter", "Agree", () => surface.agree());
    this.actions = element("div", { className: "actions" }, this.classes, element("div", { className: "row" },
      this.agree, keyButton("/", "Find", () => surface.find(), "Find a class"),
      keyButton("N", "None",  () => surface.none("none_of_these"), "None of these"),
      keyButton("X", "Unusable", () => surface.none("unusable")),
      keyButton("H", "Unsure", () => surface.none("unsure"))),
    element("div", { className: "row" },
      keyButton("S", "Later", () => surface.skip()), keyButton("U", "Undo", () => surface.undo()),
      keyButton("R", "Redo", () => surface.redo()), keyButton("B", "Back", () => surface.back()),
      keyButton("M", "Note", () => this.writeNote())));
    this.again = element("button", { type: "button", className: "again", textContent: "Look again", hidden: true });
    this.again.addEventListener("click", () => this.lookAgain());
    this.film = element("div", { className: "film", ariaHidden: "true" });
    this.help = element("div", { className: "sheet help", role: "dialog", ariaLabel: "Keys", tabIndex: 0,
      hidden: true },
      element("h2", { textContent: "Keys" }), element("dl", {}, ...HELP.flatMap(([key, text]) =>
        [element("dt", { textContent: key }), element("dd", { textContent: text })])));
    this.thumb = element("div", { className: "thumb" });
    this.middle.append(this.again, this.help, this.check.box);
    this.root.replaceChildren(this.head, this.middle, this.side, this.actions, this.film, this.thumb);
  }

  draw() {
    const { surface } = this, { store } = surface, item = store.current, next = store.next();
    this.root.dataset.image = item?.id ?? "";
    this.pictures.hold([...(item ? [item.id] : []), ...next.slice(0, HELD).map((one) => one.id)]);
    this.root.dataset.ready = this.pictures.ready();
    const left = store.left();
    setText(this.progress, `${store.done} done in this session · ${left}${surface.data.many ? "+" : ""} to go`);
    this.chooser.draw(surface.data.queues, store.queueName());
    this.check.draw(store.check());
    this.bar.style.width = `${(100 * store.done) / (store.done + left || 1)}%`;
    const held = item ? this.pictures.get(item.id) : { image: null, state: "none" };
    this.stage.show(held.state === "ready" ? held.image : null, item?.id);
    setText(this.over, this.covers(item, held.state));
    this.drawAgain(item);
    this.drawAnswer(item);
    this.drawClasses(item);
    this.drawLast(store);
    this.drawFilm(next.slice(0, FILM));
    this.drawNetwork();
    if (surface.note) this.refuse(`Note: ${surface.note}`);
  }

  // Where nothing is left: what was left for later in this queue and tab, or anywhere.
  drawAgain(item) {
    const { store, data } = this.surface, elsewhere = store.queueName() === "my_skipped" ? 0 : data.skipped;
    this.here = store.moves.some((move) => move.kind === "later" && store.stands(move));
    this.again.hidden = Boolean(item) || store.choosing() || !(this.here || elsewhere);
    setText(this.again, this.here ? "Look again" : `Left for later (${elsewhere})`);
  }

  lookAgain() {
    if (this.here) this.surface.lookAgain();
    else this.surface.choose("my_skipped");
  }

  covers(item, state) {
    if (!item) return this.surface.store.choosing() ? "Loading …" : this.surface.data.end;
    if (state === "failed") return "The image cannot be shown right now. T tries again, S leaves it for later.";
    return state === "loading" ? "Loading …" : "";
  }

  drawAnswer(item) {
    const answer = item?.answer;
    setText(this.says, answer ? `The model says ${answer.label}` : item ? "What is it?" : "");
    setText(this.version, answer?.model_version ?? "");
    const rows = (answer?.top ?? []).slice(0, BARS);
    const others = answer ? answer.top.length - rows.length + answer.others : 0;
    this.bars.replaceChildren(...rows.map(([label, share]) => {
      const percent = `${Math.round(share * 100)}%`;
      const bar = element("div", { className: "share", role: "img", ariaLabel: `${label}: ${percent}` },
        element("span", { className: "of", textContent: label }), element("b", { textContent: percent }),
        element("i", {}));
      bar.lastChild.style.width = percent;
      return bar;
    }), ...(others > 0 ? [element("p", { className: "others", textContent: `+ ${others} more` })] : []));
    const lines = [...(item?.why ?? []), ...(this.surface.data.problem ? [this.surface.data.problem] : [])];
    if (this.why.dataset.text !== lines.join("\n")) {
      this.why.dataset.text = lines.join("\n");
      this.why.replaceChildren(...lines.map((line) => element("p", { textContent: line })));
    }
    this.why.classList.toggle("conflict", Boolean(item?.conflict));
  }

  drawClasses(item) {
    const { surface } = this, suggested = surface.suggested(), labels = surface.keyed();
    const off = !item || Boolean(surface.data.paused);
    this.fill(this.classes, labels, (label, at) => keyButton(String(at + 1), label, () => surface.label(label)), (button, label) => {
      button.classList.toggle("suggested", label === suggested);
      button.disabled = off;
    });
    this.fill(this.thumb, item ? surface.likeliest() : [], (label) => keyButton("", label, () => surface.label(label)), (button, label) => {
      button.classList.toggle("suggested", label === suggested);
      button.disabled = off;
    }, () => [this.find ??= keyButton("", "Find a class", () => surface.find()),
      this.more ??= keyButton("", "More", () => this.actions.classList.toggle("open"))]);
    this.agree.title = suggested ? `Agree: ${suggested}` : "Agree";
    this.agree.disabled = off || !suggested;
  }

  // Buttons are made again only when their labels change, so that a press never meets another one.
  fill(place, labels, make, mark, rest = () => []) {
    if (place.dataset.labels !== JSON.stringify(labels)) {
      place.dataset.labels = JSON.stringify(labels);
      place.replaceChildren(...labels.map(make), ...rest());
    }
    labels.forEach((label, at) => mark(place.children[at], label));
  }

  drawLast(store) {
    const moves = store.moves.slice(-LAST).reverse();
    this.keep(this.last, moves, (move) => move.key, (move) => this.lastRow(move));
    moves.forEach((move, at) => {
      const row = this.last.children[at], text = move.outcome?.text ?? "saving …";
      setText(row.state, text);
      row.dataset.state = move.outcome?.live ? "live" : move.outcome?.state ?? "saving";
      row.firstChild.title = `${text}. Look at this image again.`;
    });
  }

  lastRow(move) {
    const image = element("img", { alt: "", width: 40, height: 40, src: thumbnail(move.item.id) });
    const of = move.kind === "undo" && this.surface.store.find(move.of);
    const label = element("b", { textContent: said(move) + (of ? `: ${said(of)}` : "") });
    const state = element("span", { className: "state" });
    const button = element("button", { type: "button" }, image, element("span", {}, label, state));
    button.addEventListener("click", () => { button.blur(); this.surface.open(move); });
    return Object.assign(element("li", {}, button), { state });
  }

  drawFilm(next) {
    this.keep(this.film, next, (item) => item.id, (item) => element("img", { alt: "", src: thumbnail(item.id) }));
  }

  // Let a place have one element for each of these, in their order; those that stay are not touched.
  keep(place, wanted, name, make) {
    const names = wanted.map(name);
    for (const child of [...place.children]) if (!names.includes(child.dataset.name)) child.remove();
    const known = new Map([...place.children].map((child) => [child.dataset.name, child]));
    wanted.forEach((one, at) => {
      const child = known.get(names[at]) ?? make(one);
      child.dataset.name = names[at];
      if (place.children[at] !== child) place.insertBefore(child, place.children[at] ?? null);
    });
  }

  // Say why a key did not count, in its fixed place. Returns false.
  refuse(text) {
    setText(this.status, text);
    return false;
  }

  drawNetwork() {
    setText(this.lost, this.surface.network.isLost ? LOST : "");
  }

  writeNote() {
    if (!this.surface.store.current) return;
    this.noteField.hidden = false;
    this.noteField.value = this.surface.note;
    this.noteField.focus();
  }

  noteKey(event) {
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    this.noteField.hidden = true;
    this.noteField.blur();
    this.refuse("");
    if (event.key === "Enter") this.surface.setNote(this.noteField.value.trim());
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  // Close what lies over the picture. Returns whether there was anything.
  closeSheets() {
    const open = !this.help.hidden || this.finder.isOpen || this.actions.classList.contains("open");
    this.help.hidden = true;
    this.finder.close();
    this.actions.classList.remove("open");
    return open;
  }

  close() {
    this.resized.disconnect();
    this.root.replaceChildren();
  }
}
