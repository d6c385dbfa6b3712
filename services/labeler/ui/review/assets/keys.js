// The keys of the surface. Keys that are typed into a field, held down, or pressed with Ctrl, Alt or Meta are not ours.

export const HELP = [
  ["1 – 9", "the label on the button"],
  ["Enter", "agree with the model"],
  ["/", "find a class: type, arrows, Enter"],
  ["N", "none of these classes"],
  ["X", "unusable picture"],
  ["H", "unsure"],
  ["S", "leave it for later"],
  ["U", "undo the last move; again for the one before"],
  ["R or Shift+U", "redo"],
  ["B or ←", "look at the image before; → goes on"],
  ["M", "a note, kept with the next decision about this image"],
  ["Space", "one to one; again: fit"],
  ["+  −  wheel", "zoom; drag to move"],
  ["Q", "choose another queue: arrows, then Enter"],
  ["T", "try again to load the picture"],
  ["?", "these keys"],
];

export class Keys {
  constructor(surface) {
    this.surface = surface;
    this.listen = (event) => this.press(event);
    document.addEventListener("keydown", this.listen, true);
  }

  close() {
    document.removeEventListener("keydown", this.listen, true);
  }

  press(event) {
    const { surface } = this, { view } = surface;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    if (event.key === "Escape" && view.closeSheets()) return this.taken(event);
    const theirs = surface.network.closeDialog();
    if (!theirs && target.closest?.("input, textarea, select, [contenteditable], [role=dialog], [role=listbox]")) return;
    if (target.closest?.("button, a, summary") && ["Enter", " "].includes(event.key)) return;  // it is pressed by them
    const act = this.action(event);
    if (!act) return;
    this.taken(event);
    if (event.repeat && !["+", "-", "="].includes(event.key)) return;
    if (event.key !== "?") view.closeSheets();
    act();
  }

  taken(event) {
    event.preventDefault();
    event.stopPropagation();
  }

  action(event) {
    const { surface } = this, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (surface.store.check() && "yl".includes(key)) return () => surface.answer(key === "l");
    const label = /^[1-9]$/.test(key) ? surface.keyed()[Number(key) - 1] : null;
    if (label) return () => surface.label(label);
    return {
      Enter: () => surface.agree(),
      "/": () => surface.find(),
      n: () => surface.none("none_of_these"),
      x: () => surface.none("unusable"),
      h: () => surface.none("unsure"),
      s: () => surface.skip(),
      u: () => (event.shiftKey ? surface.redo() : surface.undo()),
      r: () => surface.redo(),
      b: () => surface.back(),
      ArrowLeft: () => surface.back(),
      ArrowRight: () => surface.forward(),
      m: () => surface.view.writeNote(),
      q: () => surface.view.chooser.focus(),
      t: () => surface.retryPicture(),
      " ": () => surface.view.stage.oneToOne(),
      "+": () => surface.view.stage.zoom(1.25),
      "=": () => surface.view.stage.zoom(1.25),
      "-": () => surface.view.stage.zoom(0.8),
      "?": () => surface.view.toggleHelp(),
    }[key];
  }
}
