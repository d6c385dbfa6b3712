// Elements are made here; what people and models wrote becomes text, never markup.

export function element(tag, facts = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name === "role") made.setAttribute("role", value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A button with its key on it. What it does is told in words as well.
export function keyButton(key, text, act, about = "") {
  const name = element("span", { className: "name", textContent: text });
  const button = element("button", { type: "button", title: about || text }, element("kbd", { textContent: key }), name);
  button.setAttribute("aria-keyshortcuts", key);
  button.addEventListener("click", () => { button.blur(); act(); });
  return button;
}
