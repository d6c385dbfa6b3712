// The part of the page Add below the uploader: buttons for folders and addresses, and the cards.
import { callClasses } from "./api.js";
import { element } from "./card.js";
import { Grid } from "./grid.js";
import { addressesIn, listen, sourcesOf } from "./sources.js";
import { MOST_ENTRIES, Work } from "./work.js";
import { many } from "./words.js";

/** The work outlives the page: files go on being sent while the person is on another page of the menu. */
let work = null;
let shown = null;

addEventListener("beforeunload", (event) => work?.unsent && event.preventDefault());
addEventListener("pagehide", () => work?.save());

/** Show the page in a mounted component; return what is to be done when it is unmounted. Called at every run of the
 * script with new data: {person, login, labels, names, limit_bytes, label, camera, may_label, has_cards}. */
export function attach(component) {
  const root = component.parentElement.querySelector("#add");
  if (shown?.root !== root) {
    shown?.leave();
    shown = new Page(root);
  }
  shown.update(component);
  const mine = shown;
  return () => setTimeout(() => {
    if (mine.root.isConnected) return; // Streamlit ends an older run, not the page
    mine.leave();
    if (shown === mine) shown = null;
  });
}

class Page {
  constructor(root) {
    this.root = root;
    this.note = element("div", { className: "note", role: "status" });
    this.cards = element("div");
    const drop = element("div", { className: "drop", textContent: "Drop to add" });
    this.claimed = element("div", { className: "claimed", role: "status" });
    root.replaceChildren(this.#sources(), this.claimed, this.note, this.cards, drop);
    this.grid = new Grid(this.cards);
    this.leave = listen({
      ours: () => work.entries.size > 0 || this.data.camera,
      limitBytes: () => this.data.limit_bytes,
      take: (files, options) => this.#take(files, options),
      takeAddresses: (list) => this.#takeAddresses(list),
      dragging: (over) => root.classList.toggle("dragging", over),
    });
  }

  update({ data, setStateValue, setTriggerValue }) {
    Object.assign(this, { data, setStateValue, setTriggerValue });
    callClasses(data.names);
    if (work?.person !== data.person) {
      work?.end();
      work = new Work(data.person, (entry) => shown?.changed(entry), () => shown?.setTriggerValue("logged_out", true));
    } else if (this.login !== data.login) work.tryAgain();
    this.login = data.login;
    this.claimed.textContent = data.label ? `What you add now is labelled ${data.label}.` : "";
    this.grid.show(work, data.may_label ? data.labels : []);
    this.#report();
  }

  changed(entry) {
    this.grid.changed(entry);
    this.#report();
  }

  /** Let the script know whether there are cards: then it shows no single image. */
  #report() {
    const cards = work.entries.size > 0;
    if (cards === Boolean(this.data.has_cards) || cards === this.reported) return;
    this.reported = cards;
    this.setStateValue("has_cards", cards);
  }

  #sources() {
    const choose = element("button", { textContent: "Choose a folder" });
    choose.onclick = () => this.#chooseFolder();
    const ariaLabel = "Web addresses of images, one a line";
    const text = element("textarea", { rows: 4, placeholder: "https://…", ariaLabel });
    const add = element("button", { className: "primary", textContent: "Add these addresses" });
    const form = element("div", { className: "addresses", hidden: true }, text, add);
    const open = element("button", { textContent: "Add web addresses", ariaExpanded: false });
    open.onclick = () => {
      form.hidden = !form.hidden;
      open.ariaExpanded = !form.hidden;
      if (!form.hidden) text.focus();
    };
    add.onclick = () => {
      this.#takeAddresses(addressesIn(text.value));
      text.value = "";
    };
    const hint = element("span", { className: "hint" }, "Or paste pictures or addresses anywhere on this page.");
    return element("div", {}, element("div", { className: "bar" }, choose, open, hint), form);
  }

  #chooseFolder() {
    const input = element("input", { type: "file", webkitdirectory: true });
    input.onchange = () => {
      const inOrder = (one, other) => one.webkitRelativePath.localeCompare(other.webkitRelativePath);
      this.#take([...input.files].sort(inOrder), { folder: true });
    };
    input.click();
  }

  async #take(files, options) {
    const { sources, leftOut } = await sourcesOf(files, this.data.limit_bytes, options);
    this.#add(sources, leftOut);
  }

  #takeAddresses(list) {
    const name = (url) => decodeURIComponent(url.split(/[?#]/)[0].split("/").pop() || url).slice(0, 100);
    const safe = (url) => {
      try {
        return name(url);
      } catch {
        return url.slice(0, 100);
      }
    };
    this.#add(list.map((url) => ({ name: safe(url), from: url, url, read: null })), 0);
  }

  #add(sources, leftOut) {
    const taken = sources.filter((source) => work.add(source, this.data.label)).length;
    const notes = [];
    const others = many(leftOut, "file that is no picture was", "files that are no pictures were");
    if (leftOut) notes.push(`${others} left out.`);
    const full = `The list is full: ${MOST_ENTRIES} images. Clear it to add the other ${sources.length - taken}.`;
    if (taken < sources.length) notes.push(full);
    if (!sources.length && !leftOut) notes.push("There was no picture in it.");
    this.note.textContent = notes.join(" ");
  }
}
