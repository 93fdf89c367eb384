// Whether a file is read as UTF-8, by the rules of sentcli/files/encodings.py.

const SEARCHED = 8 << 20; // bytes that may show it
const BLOCK = 1 << 19;
const SAMPLE = 1 << 20; // bytes, from the block with the first byte that is not UTF-8
const MOST_ZEROS = 0.3; // share, at even or at odd places alone; with more it is UTF-16
const FEWEST_ZEROS = 5;
// Dashes and bullets, prices, inches, degrees: marks that touch no letter.
const SYMBOL = /(?<![A-Za-z\x80-\xff])[\x80-\x9f\xa3\xb0\xb2\xbd](?![A-Za-z\x80-\xff])/g;
const TOUCHES_ASCII = /[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]/g;
const LATIN_RUN = 2.5; // mean bytes beyond ASCII next to ASCII letters; runs of other letters are longer
const SHARE = 10; // minimum number of lines for one damaged line

/** Return whether a file is UTF-8, except for a few damaged lines. */
export async function isUtf8(file) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let start = 0; start < Math.min(file.size, SEARCHED); start += BLOCK) {
    const bytes = await read(file, start, BLOCK);
    if (!start && isWide(bytes)) return false;
    try {
      if (/[^\0-\x7f]/.test(decoder.decode(bytes, { stream: true }))) return true;
    } catch {
      return isMostlyUtf8(await read(file, start, SAMPLE));
    }
  }
  return true;
}

function isWide(bytes) {
  const zeros = [0, 1].map((odd) => bytes.filter((byte, place) => !byte && place % 2 === odd).length);
  return Math.abs(zeros[0] - zeros[1]) > Math.max(FEWEST_ZEROS, MOST_ZEROS * bytes.length);
}

function isMostlyUtf8(bytes) {
  const text = new TextDecoder().decode(bytes);
  const bad = matches(text, /\ufffd/g);
  if (matches(text, /[^\0-\x7f]/gu) >= 2 * bad) return true;
  const latin = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const letters = latin.replaceAll(SYMBOL, "");
  if (matches(letters, /[\x80-\xff]/g) <= LATIN_RUN * matches(letters, TOUCHES_ASCII)) return false;
  const lines = text.split("\n");
  return SHARE * lines.filter((line) => line.includes("\ufffd")).length < lines.length;
}

async function read(file, start, size) {
  return new Uint8Array(await file.slice(start, start + size).arrayBuffer());
}

function matches(text, pattern) {
  return text.match(pattern)?.length ?? 0;
}
