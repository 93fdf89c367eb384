// The counts of labels, shares and intervals, as in sentcli/scoring/labels.py.

export const NEUTRAL = "neutral";
export const MIXED = "mixed";
export const OTHERS = "(other values)";
export const LONGEST_VALUE = 200; // characters; longer values that begin alike are counted together
const MOST_VALUES = 10_000; // of a column; further ones are counted together
const MOST_CACHED = 1 << 14;
const Z = 1.959963984540054; // below it are 97.5 % of a standard normal distribution
const NO_GROUPS = new Set(["", OTHERS, "(no date)"]);

/** Return the order of two texts by their code points, as in Python. */
export function order(one, other) {
  const [points, others] = [[...one], [...other]];
  const place = points.findIndex((point, index) => point !== others[index]);
  if (place < 0) return points.length - others.length;
  return place < others.length ? points[place].codePointAt(0) - others[place].codePointAt(0) : 1;
}

/** Return the first characters of a text; those of Unicode, as in Python. */
export function beginning(text, size) {
  return text.length <= size ? text : [...text.slice(0, 2 * size)].slice(0, size).join("");
}

/** Return the number of characters of a text. */
export const lengthOf = (text) => text.length - (text.match(/[\udc00-\udfff]/g)?.length ?? 0);

/** Add to the count of a key. */
export const count = (counts, key, rows = 1) => counts.set(key, (counts.get(key) ?? 0) + rows);
export const sum = (values) => [...values].reduce((total, value) => total + value, 0);

/** Return a function of texts that reads each of them once. */
export function cached(read) {
  const known = new Map();
  return (text) => {
    if (!known.has(text)) {
      if (known.size === MOST_CACHED) known.clear();
      known.set(text, read(text));
    }
    return known.get(text);
  };
}

/** Return items in the order of their numbers, the lowest first. */
export const sortedBy = (items, number) => [...items].sort((one, other) => number(one) - number(other));

/** Counts of labels by value: a Map of Maps. A row without a label counts as "". */
export class Counts extends Map {
  add(value, label, rows = 1) {
    const name = this.has(value) || this.size < MOST_VALUES ? value : OTHERS;
    if (!this.has(name)) this.set(name, new Map());
    count(this.get(name), label ?? "", rows);
  }
}

/** Return the rows with one value, with the share of a label among those that have one. */
export function groupOf(value, counts, label) {
  const labels = new Map([...counts].filter(([name]) => name !== "").sort(([one], [other]) => order(one, other)));
  const labeled = sum(labels.values());
  const yes = labels.get(label) ?? 0;
  const [share, interval] = labeled ? [yes / labeled, wilsonInterval(yes, labeled)] : [null, null];
  return { value, rows: sum(counts.values()), labels, labeled, share, interval };
}

export const isGroup = (value) => !NO_GROUPS.has(value);

/** Return Wilson's 95 % score interval of a proportion; from 0 to 1 without a trial. */
export function wilsonInterval(successes, trials) {
  if (!trials) return [0, 1];
  const share = successes / trials;
  const center = (share + Z ** 2 / (2 * trials)) / (1 + Z ** 2 / trials);
  const margin = (Z / (1 + Z ** 2 / trials)) * Math.sqrt((share * (1 - share)) / trials + Z ** 2 / (4 * trials ** 2));
  return [Math.max(0, center - margin), Math.min(1, center + margin)];
}
