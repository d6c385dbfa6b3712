// Chooses the queue: each with how many images wait in it.

import { element, setText } from "./elements.js";

export class Chooser {
  constructor(choose) {
    this.list = element("select", { className: "queues", ariaLabel: "Queue" });
    this.list.addEventListener("change", () => {
      choose(this.list.value);
      if (this.byPointer) this.list.blur();  // else the arrows go on choosing, and Enter leaves it
    });
    this.list.addEventListener("pointerdown", () => { this.byPointer = true; });
    this.list.addEventListener("keydown", (event) => {
      this.byPointer = false;
      if (["Enter", "Escape"].includes(event.key)) this.list.blur();
    });
  }

  focus() {
    this.list.focus();
  }

  // Options stay the same elements, so that an open list stays open.
  draw(queues, chosen) {
    const names = JSON.stringify(queues.map((queue) => queue.name));
    if (this.names !== names) {
      this.names = names;
      this.list.replaceChildren(...queues.map(({ name }) => element("option", { value: name })));
    }
    queues.forEach(({ title, count }, at) => setText(this.list.children[at], count ? `${title} (${count})` : title));
    if (this.list.value !== chosen) this.list.value = chosen;
  }
}

// Asks a person who contradicts model and data set again and again, once.
export class Check {
  constructor(answer) {
    this.text = element("p", { id: "check-text" });
    const button = (key, text, again) => {
      const made = element("button", { type: "button" }, element("kbd", { textContent: key }), text);
      made.setAttribute("aria-keyshortcuts", key);
      made.addEventListener("click", () => { made.blur(); answer(again); });
      return made;
    };
    this.box = element("div", { className: "sheet check", role: "alertdialog", hidden: true, ariaLabel: "Look again?" },
      element("h2", { textContent: "Look again?" }), this.text,
      element("div", { className: "answers" }, button("Y", "Yes, I meant them", false),
        button("L", "Look at the last one", true)));
  }

  draw(check) {
    this.box.hidden = !check;
    if (check) setText(this.text, check.text);
  }
}
