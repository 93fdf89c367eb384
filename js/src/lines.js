// The physical lines of a file: a line feed, a carriage return or both end a line.

const PIECE = 1 << 18; // bytes to split at once
const LONGEST = 16; // times the limit of a row; a longer line is an error
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loose = new TextDecoder("utf-8", { ignoreBOM: true });

/** Yield `{lines, isLast}`. A line has its `bytes` with its end, its `text`, and `isBad` if it is not UTF-8. */
export async function* linesOf(file, limit) {
  const reader = file.stream().getReader(); // not `for await`, which Safari lacks
  let blocks = [];
  let size = 0;
  let wanted = PIECE;
  for (;;) {
    const { value, done } = await reader.read();
    if (value) blocks.push(value);
    size += value?.length ?? 0;
    if (size < wanted && !done) continue;
    const { lines, rest } = split(joined(blocks), done);
    if ([rest, ...lines.map((line) => line.bytes)].some((bytes) => bytes.length > LONGEST * limit)) {
      throw new Error(`a line of more than ${LONGEST * limit} bytes; is this text?`);
    }
    yield { lines, isLast: done };
    if (done) return;
    blocks = [rest];
    size = rest.length;
    wanted = Math.max(PIECE, 2 * size);
  }
}

/** Return blocks of bytes as one. */
export function joined(blocks) {
  const bytes = new Uint8Array(blocks.reduce((size, block) => size + block.length, 0));
  let place = 0;
  for (const block of blocks) {
    bytes.set(block, place);
    place += block.length;
  }
  return bytes;
}

// A carriage return at the end belongs to the rest: a line feed may follow.
function split(bytes, isLast) {
  const lines = [];
  let start = 0;
  for (let end = 1; end <= bytes.length; end++) {
    const isReturn = bytes[end - 1] === CARRIAGE_RETURN && end < bytes.length && bytes[end] !== LINE_FEED;
    if (bytes[end - 1] !== LINE_FEED && !isReturn) continue;
    lines.push(lineOf(bytes.subarray(start, end)));
    start = end;
  }
  const rest = bytes.subarray(start);
  if (isLast && rest.length) lines.push(lineOf(rest));
  return { lines, rest };
}

function lineOf(bytes) {
  try {
    return { bytes, text: strict.decode(bytes), isBad: false };
  } catch {
    return { bytes, text: loose.decode(bytes), isBad: true };
  }
}
