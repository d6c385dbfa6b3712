// Opens ZIP archives in the browser (APPNOTE.TXT 6.3.10 of PKWARE), member after member: the server unpacks nothing.
const MOST_MEMBERS = 5000;
const MOST_BYTES = 4e9;
const HIGHEST_RATIO = 200;
const RATIO_FROM_BYTES = 1e6;
const END_BYTES = 22 + 65535;
const END = 0x06054b50, CENTRAL = 0x02014b50, LOCAL = 0x04034b50;
const STORED = 0, DEFLATED = 8;
const ENCRYPTED = 0x2041; // bits 0, 6 and 13 of the flags
const UNIX = 3, KIND = 0xf000, PLAIN_FILE = 0x8000, LINK = 0xa000;
const INSIDE = "An archive inside an archive is not opened. Unpack it first.";
const DAMAGED = "It is damaged in the archive. Make the archive again.";
const ARCHIVE = /\.(zip|jar|7z|rar|tar|gz|tgz|bz2|xz|zst)$/i;

/** A sentence for the person: why an archive, or a member of it, is not opened. */
export class Refusal extends Error {
  get forPerson() {
    return this.message;
  }
}

/** Return the members of an archive: {name, path, size, read}, or {name, path, size, refused}. Folders are left out.
 * Throws Refusal if nothing of it can be used. Nothing is unpacked before `read`. */
export async function openZip(file, limitBytes) {
  const { count, start, size } = await findDirectory(file);
  if (count > MOST_MEMBERS) {
    throw new Refusal(`It has ${count} members; an archive may have ${MOST_MEMBERS}. Split it.`);
  }
  const directory = new DataView(await file.slice(start, start + size).arrayBuffer());
  const members = [];
  for (let at = 0, number = 0; number < count; number += 1) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== CENTRAL) throw damaged();
    const member = readEntry(directory, at);
    at += member.length;
    if (!member.path.endsWith("/")) members.push(member);
  }
  refuseOverlaps(members, start);
  const total = members.reduce((sum, member) => sum + member.size, 0);
  if (total > MOST_BYTES) throw new Refusal("It unpacks to more than 4 GB. Split it.");
  return members.map((member) => asSource(file, member, limitBytes));
}

function damaged() {
  return new Refusal("It is damaged, or no ZIP archive. Make it again.");
}

async function findDirectory(file) {
  const begin = Math.max(0, file.size - END_BYTES);
  const tail = new DataView(await file.slice(begin).arrayBuffer());
  for (let at = tail.byteLength - 22; at >= 0; at -= 1) {
    if (tail.getUint32(at, true) !== END) continue;
    const [disk, first, here, count] = [4, 6, 8, 10].map((offset) => tail.getUint16(at + offset, true));
    const size = tail.getUint32(at + 12, true), start = tail.getUint32(at + 16, true);
    if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
      throw new Refusal("It is larger than 4 GB, or has more than 65,535 members (ZIP64). Split it.");
    }
    if (disk || first || here !== count) throw new Refusal("It is one part of several. Make one archive of it.");
    if (start + size > begin + at) throw damaged();
    return { count, start, size };
  }
  throw damaged();
}

function readEntry(view, at) {
  const [flags, method] = [8, 10].map((offset) => view.getUint16(at + offset, true));
  const [crc, packed, size] = [16, 20, 24].map((offset) => view.getUint32(at + offset, true));
  const lengths = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
  const length = 46 + lengths.reduce((sum, each) => sum + each, 0);
  if (at + length > view.byteLength) throw damaged();
  const path = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, lengths[0]));
  const system = view.getUint16(at + 4, true) >> 8, kind = (view.getUint32(at + 38, true) >>> 16) & KIND;
  const offset = view.getUint32(at + 42, true);
  return { path, flags, method, crc, packed, size, length, kind: system === UNIX ? kind : 0, offset };
}

/** Members that share bytes are how a small archive unpacks to a huge one (D. Fifield, "A better zip bomb", 2019). */
function refuseOverlaps(members, directory) {
  const inOrder = [...members].sort((one, other) => one.offset - other.offset);
  inOrder.forEach((member, index) => {
    const end = member.offset + 30 + member.packed;
    if (end <= (inOrder[index + 1]?.offset ?? directory)) return;
    throw new Refusal("Its members overlap, as in a ZIP bomb. It is not opened.");
  });
}

function asSource(file, member, limitBytes) {
  const { path, size } = member;
  const source = { name: path.split(/[\\/]/).pop() || path, path, size };
  const refused = whyRefused(member, limitBytes);
  return refused ? { ...source, refused } : { ...source, read: () => unpack(file, member) };
}

function whyRefused({ path, flags, method, packed, size, kind }, limitBytes) {
  const outside = /^[\\/]|^[a-z]:|\0/i.test(path) || path.split(/[\\/]/).includes("..");
  if (outside) return "Its name leads out of the archive.";
  if (kind === LINK) return "It is a link, not a file.";
  if (kind && kind !== PLAIN_FILE) return "It is no plain file.";
  if (flags & ENCRYPTED) return "It is encrypted. Make the archive without a password.";
  if (ARCHIVE.test(path)) return INSIDE;
  if (method !== STORED && method !== DEFLATED) return "It is packed by a method that is not read here. Use Deflate.";
  if (size > limitBytes) return tooLarge(limitBytes);
  const bomb = size > RATIO_FROM_BYTES && size > HIGHEST_RATIO * packed;
  return bomb ? "It unpacks to more than 200 times its size, as in a ZIP bomb." : "";
}

export function tooLarge(limitBytes) {
  return `A file may have at most ${Math.floor(limitBytes / 1e6)} MB.`;
}

async function unpack(file, member) {
  const head = new DataView(await file.slice(member.offset, member.offset + 30).arrayBuffer());
  if (head.byteLength < 30 || head.getUint32(0, true) !== LOCAL) throw damaged();
  const start = member.offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const data = file.slice(start, start + member.packed);
  const unpacked = () => data.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = await readAll(member.method === DEFLATED ? unpacked() : data.stream(), member.size);
  if (bytes.length !== member.size || checksum(bytes) !== member.crc) throw new Refusal(DAMAGED);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3) throw new Refusal(INSIDE);
  return new Blob([bytes]);
}

async function readAll(stream, size) {
  const bytes = new Uint8Array(size), reader = stream.getReader();
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (length + part.value.length > size) throw new Refusal("It is longer than the archive says. It is not opened.");
      bytes.set(part.value, length);
      length += part.value.length;
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error instanceof Refusal ? error : new Refusal(DAMAGED);
  }
  return bytes.subarray(0, length);
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function checksum(bytes) {
  let value = 0xffffffff;
  for (let at = 0; at < bytes.length; at += 1) value = CRC[(value ^ bytes[at]) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
