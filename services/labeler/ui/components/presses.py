"""Presses of keys and buttons in the browser: each counts once on the image that is shown, or the page says that it did
not count."""

import html

import streamlit as st

from services.labeler.ui.sessions.click_guard import ClickGuard

SCRIPT = """<script>
(() => {
  if (window.pappusPresses) return;
  window.pappusPresses = true;
  const SAVED = "pappus-press", WAIT_MS = 30000, SHOWN_MS = 12000;
  const known = new Set();
  let answered = JSON.parse(sessionStorage.getItem(SAVED) || "null");
  let lost = answered, repeating = false, refused = 0, hide = 0;

  const question = () => [...document.querySelectorAll("[data-pappus-turn]")].pop();
  const waits = (turn) => answered && answered.turn === turn && Date.now() - answered.at < WAIT_MS;
  const answer = (turn, key) => {
    answered = {turn, key, at: Date.now()};
    sessionStorage.setItem(SAVED, JSON.stringify(answered));
  };
  const refuse = (event) => {
    event.stopImmediatePropagation();
    event.preventDefault();
    refused += 1;
    let note = document.getElementById("pappus-refused");
    if (!note) {
      note = document.createElement("div");
      note.id = "pappus-refused";
      note.setAttribute("role", "alert");
      note.style.cssText = "position:fixed;left:50%;bottom:1.5rem;transform:translateX(-50%);z-index:1000000;" +
        "background:#7a1f1f;color:#fff;padding:.7rem 1.2rem;border-radius:.6rem;font:600 1rem sans-serif";
      document.body.append(note);
    }
    const presses = refused === 1 ? "1 press was" : refused + " presses were";
    note.textContent = presses + " not counted: the next image was not there yet.";
    note.hidden = false;
    clearTimeout(hide);
    hide = setTimeout(() => { note.hidden = true; refused = 0; }, SHOWN_MS);
  };

  window.addEventListener("keydown", (event) => {
    if (event.target.closest?.("input, textarea") || event.key.length !== 1) return;
    if (event.ctrlKey || event.metaKey || event.altKey || repeating) return;
    if (event.repeat) return event.stopImmediatePropagation();
    const key = event.key.toLowerCase(), asked = question();
    const keys = [...(asked?.dataset.keys ?? "")];
    if (!keys.length) return;  // the surface of Review has keys of its own
    keys.forEach((each) => known.add(each));
    if (!known.has(key)) return;
    if (!keys.includes(key) || waits(asked.dataset.pappusTurn)) return refuse(event);
    answer(asked.dataset.pappusTurn, key);
  }, true);

  window.addEventListener("click", (event) => {
    const asked = question(), turn = asked?.dataset.pappusTurn;
    if (!event.isTrusted || !turn || !event.target.closest?.(`[class*="st-key-${turn}-"] button`)) return;
    if (event.detail > 1) return event.stopImmediatePropagation();
    if (waits(turn)) return refuse(event);
    answer(turn, "");
  }, true);

  // A press that a reload overtook is made again: its question is then still open.
  const again = setInterval(() => {
    const asked = question();
    if (!lost || !lost.key || Date.now() - lost.at > WAIT_MS) return clearInterval(again);
    if (!asked) return;
    clearInterval(again);
    if (asked.dataset.pappusTurn !== lost.turn) return;
    repeating = true;
    document.body.dispatchEvent(new KeyboardEvent("keydown", {
      key: lost.key, code: (/[0-9]/.test(lost.key) ? "Digit" : "Key") + lost.key.toUpperCase(),
      keyCode: lost.key.toUpperCase().charCodeAt(0), bubbles: true, cancelable: true}));
    repeating = false;
  }, 200);
})();
</script>"""


def watch_presses() -> None:
    """Let the browser watch the presses; to be called once in every run."""
    st.html(SCRIPT, unsafe_allow_javascript=True)


def ask(click_guard: ClickGuard) -> None:
    """Tell the browser which question the page asks now, and which keys answer it; to be called below the buttons."""
    keys = html.escape("".join(click_guard.keys))
    st.html(f'<span data-pappus-turn="{click_guard.turn}" data-keys="{keys}" hidden></span>')
