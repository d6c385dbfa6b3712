// Where files come from: Streamlit's uploader, a drop anywhere on the page, the clipboard, a folder, a ZIP, addresses.
import { openZip, Refusal, tooLarge } from "./zip.js";

const UPLOADER = '[data-testid="stFileUploader"]';
const TAKEN = "image/jpeg,image/png,image/webp,image/gif,image/bmp,.zip";
const PICTURE = /\.(jpe?g|jfif|png|webp|gif|bmp|heic|heif|tiff?|avif)$/i;
const HIDDEN = /(^|\/)(\.[^./]|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i;
const WEB = /^https?:\/\/\S+$/i;

/** Listen on the page until the returned function is called. One picture goes to Streamlit's uploader, and to the page
 * below it, unless `ours()`; everything else to `take(files, {folder})` and `takeAddresses(list)`. */
export function listen({ ours, limitBytes, take, takeAddresses, dragging }) {
  const handedOver = new WeakSet();
  const mine = (files) => ours() || files.length !== 1 || isZip(files[0]) || files[0].size > limitBytes();
  const forStreamlit = (file) => {
    const input = document.querySelector(`${UPLOADER} input[type=file]`);
    if (!input) return take([file]);
    const data = new DataTransfer();
    data.items.add(file);
    input.files = data.files;
    const event = new Event("change", { bubbles: true });
    handedOver.add(event);
    input.dispatchEvent(event);
  };
  const handlers = {
    click: (event) => {
      const input = event.target.closest?.(UPLOADER)?.querySelector("input[type=file]");
      if (input) Object.assign(input, { multiple: true, accept: TAKEN }); // before its dialog opens
    },
    change: (event) => {
      const input = event.target;
      if (handedOver.has(event) || !input.matches?.("input[type=file]") || !input.closest(UPLOADER)) return;
      const files = [...input.files];
      if (!files.length || !mine(files)) return;
      event.stopImmediatePropagation();
      input.value = "";
      take(files);
    },
    dragover: (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      dragging(true);
    },
    dragleave: (event) => event.relatedTarget === null && dragging(false),
    drop: (event) => {
      dragging(false);
      if (!hasFiles(event)) return;
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const files = [...event.dataTransfer.files], folder = entries.some((entry) => entry.isDirectory);
      const inUploader = event.target.closest?.(UPLOADER);
      if (!folder && inUploader && !mine(files)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      inUploader?.querySelector("section, [data-testid]")?.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
      if (folder) walk(entries).then((found) => take(found, { folder: true }));
      else if (mine(files)) take(files);
      else forStreamlit(files[0]);
    },
    paste: (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) {
        event.preventDefault();
        if (mine(files)) take(files);
        else forStreamlit(files[0]);
        return;
      }
      const typing = event.composedPath()[0].closest?.("input, textarea, [contenteditable]");
      const lines = addressesIn(event.clipboardData?.getData("text") ?? "");
      if (!typing && lines.length && lines.every((line) => WEB.test(line))) takeAddresses(lines);
    },
  };
  for (const [name, handler] of Object.entries(handlers)) window.addEventListener(name, handler, true);
  return () => Object.entries(handlers).forEach(([name, handler]) => window.removeEventListener(name, handler, true));
}

function hasFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

function isZip(file) {
  return /\.zip$/i.test(file.name) || /zip/.test(file.type);
}

/** Return the lines of a text that are not empty. */
export function addressesIn(text) {
  return text.split(/\s+/).map((line) => line.trim()).filter(Boolean);
}

async function walk(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry.isFile) found.push(await new Promise((done, fail) => entry.file(done, fail)).catch(() => null));
    else found.push(...(await walk(await children(entry))));
  }
  return found.filter(Boolean);
}

async function children(folder) {
  const reader = folder.createReader(), all = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return all;
    all.push(...some);
  }
}

/** Return what is to be added of these files, and what was left out, as {sources, leftOut}: of folders and archives
 * only pictures are taken, of which the labeler refuses some with a reason. */
export async function sourcesOf(files, limitBytes, { folder = false } = {}) {
  const sources = [];
  let leftOut = 0;
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    if (folder && (HIDDEN.test(path) || !(PICTURE.test(path) || isZip(file)))) leftOut += !HIDDEN.test(path);
    else if (isZip(file)) leftOut += await addMembers(sources, file, limitBytes);
    else sources.push(ofFile(file, limitBytes));
  }
  return { sources, leftOut };
}

function ofFile(file, limitBytes) {
  const { name, size, lastModified: modified } = file;
  const source = { name, size, modified, read: async () => file };
  return size > limitBytes ? { ...source, refused: tooLarge(limitBytes) } : source;
}

async function addMembers(sources, file, limitBytes) {
  let members, leftOut = 0;
  try {
    members = await openZip(file, limitBytes);
  } catch (error) {
    const refused = error instanceof Refusal ? error.message : "The browser cannot read it. Choose it again.";
    sources.push({ name: file.name, size: file.size, refused });
    return 0;
  }
  for (const member of members) {
    if (HIDDEN.test(member.path)) continue;
    if (PICTURE.test(member.path) || member.refused) sources.push({ ...member, from: `${file.name}/${member.path}` });
    else leftOut += 1;
  }
  if (!members.length) sources.push({ name: file.name, size: file.size, refused: "The archive is empty." });
  return leftOut;
}
