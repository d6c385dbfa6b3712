// Knows whether the pages can be reached: what was said is answered within seconds, and the browser has a network.

const SILENT_MS = 6000;

export class Network {
  constructor(changed) {
    this.changed = changed;
    this.unanswered = null;  // since when nothing has come back
    for (const change of ["online", "offline"]) addEventListener(change, changed);
    this.watching = new MutationObserver(() => this.closeDialog() && changed());
    this.watching.observe(document.body, { childList: true });
  }

  said() {
    this.unanswered ??= Date.now();
  }

  answered() {
    this.unanswered = null;
    this.refused = false;
  }

  get isLost() {
    return this.refused || !navigator.onLine || (this.unanswered !== null && Date.now() - this.unanswered > SILENT_MS);
  }

  // Streamlit covers the page with a dialog, which takes the keys. The surface says the same, and goes on.
  // Returns whether there was one.
  closeDialog() {
    let closed = false;
    for (const dialog of document.querySelectorAll("[role=dialog]")) {
      if (dialog.querySelector("h2")?.textContent !== "Connection error") continue;
      this.refused = closed = true;
      dialog.querySelector("button")?.click();
    }
    return closed;
  }

  close() {
    this.watching.disconnect();
    for (const change of ["online", "offline"]) removeEventListener(change, this.changed);
  }
}
