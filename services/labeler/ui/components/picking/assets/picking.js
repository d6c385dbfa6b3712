// Selects many cards at once: Shift and a click on a box select all between it and the box before; a rectangle that the
// mouse draws selects all that it touches. What is found is told to Python, which keeps the selection.

const CARD = /(?:^|\s)st-key-card-([0-9a-f-]{36})(?:\s|$)/;
const DRAWN_FROM_PIXELS = 6; // less is a click
const NO_START = "button, input, label, select, textarea";

const cards = () =>
  [...document.querySelectorAll('[class*="st-key-card-"]')].flatMap((element) => {
    const found = CARD.exec(element.className);
    return found ? [{ element, id: found[1] }] : [];
  });

const cardAt = (target) => {
  const element = target.closest?.('[class*="st-key-card-"]');
  return element ? CARD.exec(element.className)?.[1] : undefined;
};

const boxAt = (target) => (target.closest?.("input[type=checkbox], label") ? cardAt(target) : undefined);

export default function ({ setTriggerValue }) {
  const over = new AbortController();
  const { signal } = over;
  const pick = (ids) => setTriggerValue("picked", ids);
  let from = null; // where the rectangle began, in the page, while a button of the mouse is down
  let frame = null;

  // The box that was pressed before is kept by the window: this module begins anew when the page is drawn again.
  const onClick = (event) => {
    const id = boxAt(event.target);
    if (!id) return;
    const all = cards().map((card) => card.id);
    const ends = [all.indexOf(window.pappusPicked ?? id), all.indexOf(id)].sort((one, other) => one - other);
    window.pappusPicked = id;
    if (!event.shiftKey || ends[0] < 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pick(all.slice(ends[0], ends[1] + 1));
  };
  // The box of Streamlit is set by what comes before the click, too.
  const onPress = (event) => {
    if (event.shiftKey && boxAt(event.target)) event.stopImmediatePropagation();
  };

  const scrolled = () => document.querySelector('[data-testid="stMain"]')?.scrollTop ?? 0;
  const rectangle = (event) => {
    const top = from.y - scrolled();
    return {
      left: Math.min(from.x, event.clientX),
      right: Math.max(from.x, event.clientX),
      top: Math.min(top, event.clientY),
      bottom: Math.max(top, event.clientY),
    };
  };
  const stop = () => {
    frame?.remove();
    from = frame = null;
    document.body.style.userSelect = "";
  };

  const onDown = (event) => {
    if (event.button !== 0 || event.pointerType === "touch" || event.target.closest?.(NO_START)) return;
    if (!event.target.closest?.(".st-key-cards")) return;
    from = { x: event.clientX, y: event.clientY + scrolled() };
  };
  const onMove = (event) => {
    if (!from) return;
    const drawn = rectangle(event);
    const width = drawn.right - drawn.left;
    const height = drawn.bottom - drawn.top;
    if (!frame && Math.max(width, height) < DRAWN_FROM_PIXELS) return;
    if (!frame) {
      frame = document.createElement("div");
      frame.style.cssText =
        "position:fixed;z-index:1000;pointer-events:none;border:2px solid #1c6e3d;background:rgba(28,110,61,.15)";
      document.body.append(frame);
      document.body.style.userSelect = "none";
    }
    Object.assign(frame.style, {
      left: `${drawn.left}px`,
      top: `${drawn.top}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
  };
  const onUp = (event) => {
    if (!from) return;
    const drawn = frame && rectangle(event);
    stop();
    if (!drawn) return;
    const noClick = (click) => {
      click.preventDefault();
      click.stopImmediatePropagation();
    };
    window.addEventListener("click", noClick, { capture: true, once: true });
    setTimeout(() => window.removeEventListener("click", noClick, { capture: true }), 0);
    const touched = cards().filter(({ element }) => {
      const box = element.getBoundingClientRect();
      return box.left < drawn.right && box.right > drawn.left && box.top < drawn.bottom && box.bottom > drawn.top;
    });
    if (touched.length) pick(touched.map((card) => card.id));
  };

  window.addEventListener("click", onClick, { capture: true, signal });
  for (const press of ["pointerdown", "pointerup", "mousedown", "mouseup"]) {
    window.addEventListener(press, onPress, { capture: true, signal });
  }
  window.addEventListener("pointerdown", onDown, { capture: true, signal });
  window.addEventListener("pointermove", onMove, { capture: true, signal });
  window.addEventListener("pointerup", onUp, { capture: true, signal });
  window.addEventListener("pointercancel", stop, { capture: true, signal });
  window.addEventListener("keydown", (event) => event.key === "Escape" && stop(), { capture: true, signal });
  window.addEventListener("dragstart", (event) => from && event.preventDefault(), { capture: true, signal });
  document.body.dataset.picking = "on";
  return () => {
    delete document.body.dataset.picking;
    over.abort();
    stop();
  };
}
