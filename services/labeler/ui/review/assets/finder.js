// Finds one of many labels: type, arrows, Enter. The likeliest come first.

import { element } from "./elements.js";

export class Finder {
  constructor(root, choose) {
    this.choose = choose;
    this.input = element("input", { type: "text", placeholder: "Find a class", autocomplete: "off", role: "combobox",
      ariaLabel: "Find a class" });
    this.input.setAttribute("aria-expanded", "true");
    this.input.setAttribute("aria-controls", "found");
    this.list = element("div", { id: "found", className: "found", role: "listbox", ariaLabel: "Classes" });
    this.box = element("div", { className: "sheet finder", hidden: true, role: "dialog", ariaLabel: "Find a class" },
      this.input, this.list);
    root.append(this.box);
    this.input.addEventListener("input", () => { this.at = 0; this.fill(); });
    this.input.addEventListener("keydown", (event) => this.key(event));
  }

  get isOpen() {
    return !this.box.hidden;
  }

  open(labels, likely) {
    const first = likely.filter((label) => labels.includes(label));
    this.labels = [...first, ...labels.filter((label) => !first.includes(label))];
    this.input.value = "";
    this.at = 0;
    this.box.hidden = false;
    this.fill();
    this.input.focus();
  }

  close() {
    this.box.hidden = true;
  }

  matches() {
    const asked = this.input.value.trim().toLowerCase();
    const begins = (label) => label.toLowerCase().startsWith(asked);
    const has = this.labels.filter((label) => label.toLowerCase().includes(asked));
    return [...has.filter(begins), ...has.filter((label) => !begins(label))];
  }

  fill() {
    const found = this.matches();
    this.at = Math.max(0, Math.min(this.at, found.length - 1));
    this.list.replaceChildren(...found.map((label, at) => {
      const option = element("button", { className: "option", role: "option", textContent: label, tabIndex: -1 });
      option.setAttribute("aria-selected", String(at === this.at));
      option.addEventListener("click", () => this.pick(label));
      return option;
    }));
    if (!found.length) this.list.append(element("p", { textContent: "No class has these letters." }));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.at += step;
      this.fill();
    } else if (event.key === "Enter") {
      const label = this.matches()[this.at];
      if (label) this.pick(label);
    } else if (event.key === "Escape") {
      this.close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  pick(label) {
    this.close();
    this.choose(label);
  }
}
