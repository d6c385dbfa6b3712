// The sentences of the cards.
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long" });

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

export function many(number, one, more) {
  return `${number} ${number === 1 ? one : more}`;
}

/** What a card says of its image below the answer: one line, or none. */
export function fact(entry) {
  const { state, why, known, quarantined, near } = entry;
  if (state === "waiting") return why ? "Not stored yet" : "Waiting";
  if (state === "sending") return "Sending …";
  if (state === "saving") return "Being saved …";
  if (state === "refused") return why;
  if (state === "lost") return why || "Not stored";
  if (known) return knownSince(known);
  if (quarantined) return "Resembles training and test images, so it is in neither. Label it like any other.";
  if (near?.length) return `Nearly the same as ${many(near.length, "other image", "other images")}`;
  return "";
}

function knownSince({ told, label, by, at, seed }) {
  if (!told) return "Known";
  const who = by ? `, by ${by}` : seed ? ", from the data set" : "";
  return `Known: ${label ?? "no label"}${label ? who : ""}${label && at ? `, ${DAY.format(new Date(at))}` : ""}`;
}

/** What the model says: {label, share}, or a sentence while there is no answer. */
export function answer({ state, prediction, unanswered }) {
  if (state !== "stored") return "";
  if (prediction) return `${prediction.label} ${percent(prediction.probabilities[prediction.label])}`;
  return unanswered ? "No answer of the model yet" : "The model looks at it …";
}

/** What became of the label that the person set. */
export function effect(entry) {
  const { correction } = entry;
  if (!correction) return entry.label && entry.state === "stored" && !entry.known ? `Label: ${entry.label}` : "";
  const { state, text, body, version, seconds } = correction;
  const said = body.label ?? "taken back";
  if (state === "saving") return text ? `${said}: not saved yet. ${text}` : `${said}: saving …`;
  if (state === "voted") return body.label === null ? "Your vote is taken back" : `${said}: kept as your vote`;
  if (state === "saved") return `${said}: saved`;
  const took = seconds < 10 ? seconds.toFixed(2) : Math.round(seconds);
  if (state === "live") return `${said}: live in ${version} after ${took} s`;
  if (state === "aside") return `${said}: saved. The model leaves it out for now: ${text}`;
  return text;
}

/** The line above the cards. */
export function summary(entries) {
  const count = (test) => entries.filter(test).length;
  const of = count((entry) => entry.state !== "refused");
  const parts = [`${count((entry) => entry.prediction)} of ${of} answered`];
  const known = count((entry) => entry.known), refused = count((entry) => entry.state === "refused");
  const labelled = count((entry) => ["saved", "voted", "live", "aside"].includes(entry.correction?.state));
  if (known) parts.push(`${known} known`);
  if (refused) parts.push(`${refused} refused`);
  if (labelled) parts.push(`${labelled} labelled by you`);
  return parts.join(" · ");
}

/** Which files are not stored, and what to do; "" if all are. */
export function unsent(entries, loggedOut) {
  const held = entries.filter(({ state, why }) => ["waiting", "sending"].includes(state) && (why || loggedOut));
  if (!held.length) return "";
  const why = loggedOut ? "The session has ended: log in again." : `${held[0].why} It is tried again by itself.`;
  return `${naming(held)} not stored yet. ${why} Keep this page open.`;
}

/** Which files have to be chosen again; "" if there are none. */
export function lost(entries) {
  const gone = entries.filter(({ state }) => state === "lost");
  const why = "not stored: browsers do not keep files over a reload. Choose them again to go on.";
  return gone.length ? `${naming(gone)} ${why}` : "";
}

function naming(entries) {
  const names = entries.slice(0, 3).map(({ name, from }) => from || name).join(", ");
  const more = entries.length > 3 ? ` and ${entries.length - 3} more` : "";
  return `${names}${more} ${entries.length === 1 ? "is" : "are"}`;
}
