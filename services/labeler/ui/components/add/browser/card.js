// One card: the picture, what the model says, the labels to choose from, and what became of the choice.
import { mayUndo } from "./labels.js";
import { answer, effect, fact, percent } from "./words.js";

const SHOWN_LABELS = 4;
const KEYS = 9;
const PICTURE_PIXELS = 320;

export function element(tag, values = {}, ...children) {
  const { dataset, ...others } = values;
  const made = Object.assign(document.createElement(tag), others);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** A card of an entry. `labels` are all labels in their order, whose first nine have the keys 1 to 9. */
export class Card {
  constructor(entry, labels, { choose, undo, remove }) {
    Object.assign(this, { entry, labels, choose, undo, remove });
    this.root = element("li", { className: "card", tabIndex: -1, dataset: { id: entry.id } });
    this.picture = element("a", { className: "picture", target: "_blank", rel: "noopener" });
    this.title = element("div", { className: "name", textContent: entry.name, title: entry.from || entry.name });
    this.answer = element("div", { className: "answer" });
    this.fact = element("div", { className: "fact", hidden: true });
    this.buttons = element("div", { className: "labels" });
    this.said = element("span");
    this.effect = element("div", { className: "effect" }, this.said);
    this.root.append(this.picture, this.title, this.answer, this.fact, this.buttons, this.effect);
    this.drawn = "";
    this.selected = false;
  }

  /** Let the Tab key reach this card and what is on it, or not: one card of all is selected. */
  select(selected) {
    this.selected = selected;
    const parts = this.root.querySelectorAll("a, button, select");
    for (const each of [this.root, ...parts]) each.tabIndex = selected ? 0 : -1;
  }

  draw() {
    const { entry } = this;
    const state = entry.state === "stored" ? entry.correction?.state ?? "stored" : entry.state;
    this.root.dataset.state = state;
    this.#drawPicture();
    this.answer.textContent = answer(entry);
    this.#drawFact(fact(entry));
    this.said.textContent = effect(entry);
    const said = [entry.name, this.answer.textContent, this.fact.textContent, this.said.textContent];
    this.root.setAttribute("aria-label", said.filter(Boolean).join(". "));
    this.#drawButtons();
    this.select(this.selected);
  }

  /** Return the labels on buttons: the likeliest ones, of few labels all in their order. */
  get offered() {
    const { labels, entry } = this;
    if (labels.length <= SHOWN_LABELS) return labels;
    const shares = entry.prediction?.probabilities ?? {};
    const byShare = (one, other) => (shares[other] ?? 0) - (shares[one] ?? 0);
    const likeliest = [...labels].sort(byShare).slice(0, SHOWN_LABELS);
    return entry.label && !likeliest.includes(entry.label) ? [...likeliest.slice(0, -1), entry.label] : likeliest;
  }

  #drawFact(text) {
    if (this.fact.textContent === text) return;
    const { state, image_id } = this.entry;
    const values = { textContent: text, href: `/image?id=${image_id}`, target: "_blank", rel: "noopener" };
    this.fact.replaceChildren(state === "stored" && text ? element("a", values) : text);
    this.fact.hidden = !text;
  }

  #drawPicture() {
    const { entry, picture } = this;
    if (entry.state !== "stored" || picture.dataset.image === entry.image_id) return;
    picture.dataset.image = entry.image_id;
    picture.href = `/image?id=${entry.image_id}`;
    const source = `/labeler/images/${entry.image_id}/rendition?w=${PICTURE_PIXELS}`;
    const image = element("img", { loading: "lazy", decoding: "async", alt: entry.name, src: source });
    picture.replaceChildren(image);
  }

  #drawButtons() {
    const { entry, labels, buttons } = this;
    const { correction, prediction, state } = entry;
    const chosen = correction && !["superseded", "declined"].includes(correction.state) ? correction.body.label : null;
    const drawn = JSON.stringify([state, this.offered, chosen, prediction?.label, mayUndo(entry)]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    if (state === "lost" || state === "refused") {
      const button = element("button", { textContent: "Remove", ariaLabel: `Remove ${entry.name} from the list` });
      button.onclick = () => this.remove(entry);
      return buttons.replaceChildren(button);
    }
    this.effect.replaceChildren(this.said, ...(mayUndo(entry) ? [this.#undoButton()] : []));
    if (state !== "stored") return buttons.replaceChildren();
    buttons.replaceChildren(...this.offered.map((label) => this.#labelButton(label, chosen, prediction)));
    if (labels.length > this.offered.length) buttons.append(this.#finder());
  }

  #labelButton(label, chosen, prediction) {
    const key = this.labels.indexOf(label) + 1, says = prediction?.label === label;
    const button = element("button", { className: says ? "says" : "" }, label);
    if (says) button.prepend("✓ ");
    if (key <= KEYS) button.append(element("kbd", { textContent: key, ariaHidden: true }));
    button.ariaPressed = chosen === label;
    const share = prediction?.probabilities[label];
    button.ariaLabel = `${says ? "Agree: " : ""}${label}`;
    if (share !== undefined) button.title = percent(share);
    button.onclick = () => this.choose(this.entry, label);
    return button;
  }

  #finder() {
    const options = this.labels.map((label) => element("option", { value: label, textContent: label }));
    const first = element("option", { value: "", textContent: "Other …" });
    const ariaLabel = `Another label for ${this.entry.name}`;
    const select = element("select", { ariaLabel }, first, ...options);
    select.onchange = () => select.value && this.choose(this.entry, select.value);
    return select;
  }

  #undoButton() {
    const key = element("kbd", { textContent: "U", ariaHidden: true });
    const button = element("button", { className: "undo" }, "Undo", key);
    button.onclick = () => this.undo(this.entry);
    return button;
  }
}
