// Requests to the labeler, through the server of the pages, which adds the login: no script can read that.
const AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);
const TIMEOUT_MS = 180000;
const NO_ANSWER = "The server does not answer, or there is no network.";

/** Something is away; the same request may succeed later. The message is for the person. */
export class Away extends Error {}

/** The session has ended: nothing is sent until a person logs in again. */
export class LoggedOut extends Error {}

/** Return a new idempotency key. `crypto.randomUUID` is missing where the page comes over plain HTTP from another machine. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const LABEL_FIELDS = new Set(["label", "label_from", "label_to", "shown_label", "held_label"]);
let names = {};

/** Read later answers with these names of classes in the place of their labels, as people know them. */
export function callClasses(now) {
  names = now ?? {};
}

function inNames(found) {
  if (!Object.keys(names).length || found === null || typeof found !== "object") return found;
  if (Array.isArray(found)) return found.map(inNames);
  const name = (label) => names[label] ?? label;
  const named = (key, value) => {
    if (LABEL_FIELDS.has(key) && typeof value === "string") return name(value);
    if (key !== "probabilities" || value === null) return inNames(value);
    return Object.fromEntries(Object.entries(value).map(([label, share]) => [name(label), share]));
  };
  return Object.fromEntries(Object.entries(found).map(([key, value]) => [key, named(key, value)]));
}

/** Return {status, body} of an answer that stands: a success, or a refusal that would be repeated. */
export async function ask(method, path, { form, json, key } = {}) {
  const headers = {};
  if (key) headers["Idempotency-Key"] = key;
  if (json) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/labeler${path}`, {
      method, headers, body: form ?? (json && JSON.stringify(json)), signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Away(NO_ANSWER);
  }
  const body = inNames(await response.json().catch(() => ({})));
  if (response.status === 401) throw new LoggedOut();
  if (AGAIN.has(response.status)) throw new Away(body.detail ?? NO_ANSWER);
  return { status: response.status, body };
}
