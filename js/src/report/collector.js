// Find the columns of a report, and collect what it shows, as in sentcli/report/collector.py.

import { lists } from "package:report";
import { dayOf, isDayFirst, monthOf, settle } from "./dates.js";
import { beginning, cached, count, Counts, lengthOf, LONGEST_VALUE, MIXED, NEUTRAL, sortedBy, sum } from "./labels.js";
import { fixed } from "./numbers.js";
import { randomNumbers } from "./random.js";
import { findRating, mayBeNps, npsOf, starsOf } from "./ratings.js";

export const SCORE_BINS = [...Array(20).keys()].map((step) => `${fixed(step / 20, 2)} to ${fixed((step + 1) / 20, 2)}`);
const ROUNDING = 1e-9; // of a score with six decimals
const LENGTHS = [1, 100, 250, 500, 1000, 2000]; // characters; where each slice begins
export const LENGTH_BINS = LENGTHS.map((start, place) =>
  place < LENGTHS.length - 1 ? `${start} to ${LENGTHS[place + 1] - 1}` : `${start} or more`,
);
const LONGEST_TEXT = 4_000; // characters that are kept
const SAMPLE_SIZE = 5_000;

const TIME = /date|time|day$|month|created|updated|published|posted|(^|_)(at|ts)$|unix|epoch/i;
const [NOUNS, VERBS] = lists.people.replaceAll(" ", "|").split("\n");
const PEOPLE = new RegExp(
  `(${NOUNS})s?(name|id|no|nr|number|handle|email|mail|phone)?s?$|(${VERBS})(by|to)$|e?mail(address)?$|phone$`,
);
const WHOLE = /^\d+([.,]\d+)?$/;
const NUMBER = /^[-+.,\d]+$/;
const MOST_SHARE = 0.95; // of the first values of a column of dates or stars
const MOST_GROUP_COLUMNS = 6;
const [MOST_GROUPS, ROWS_PER_GROUP, LONGEST_GROUP] = [30, 5, 60];
const RARE = 3; // rows of a value, such as a person; if most values have no more, they are no groups

/** Choose the columns of a report by their first values: a Map of names and texts, "" for a missing one. */
export function findColumns(values) {
  const filled = [...values].map(([name, column]) => [name, column.filter(Boolean)]);
  const free = new Map(filled.filter(([, column]) => column.length));
  const names = [...free.keys()];
  const nps = names.filter((name) => mayBeNps(name, free.get(name)) && are(npsOf, free.get(name)));
  let stars = findRating(names.filter((name) => !nps.includes(name) && are(starsOf, free.get(name))));
  const is_nps = stars === null && nps.length > 0;
  if (is_nps) stars = nps[0];
  // Other numbers look like seconds and days of Excel too.
  const dates = names
    .filter((name) => name !== stars && are(dayOf, free.get(name)))
    .filter((name) => TIME.test(name) || !are((value) => WHOLE.test(value), free.get(name)));
  const times = sortedBy(dates, (name) => !TIME.test(name));
  const others = names.filter((name) => !times.includes(name) && name !== stars && !isOfPeople(name));
  const by = others.filter((name) => areGroups(free.get(name))).slice(0, MOST_GROUP_COLUMNS);
  return { by, time: times[0] ?? null, stars, is_nps };
}

// Whether a column names people, such as `Guest name`, `assigned_to` or `reviewer.id`.
const isOfPeople = (name) => PEOPLE.test(name.replace(/[^\p{L}\p{N}]/gu, "").toLowerCase());
const are = (read, values) => values.filter(read).length >= MOST_SHARE * values.length;

function areGroups(values) {
  const names = new Map();
  for (const value of values) count(names, value);
  const limit = Math.min(MOST_GROUPS, Math.max(1, Math.floor(values.length / ROWS_PER_GROUP)));
  const isShort = [...names.keys()].every((name) => lengthOf(name) <= LONGEST_GROUP);
  const rare = [...names.values()].filter((rows) => rows <= RARE).length;
  const isText = [...names.keys()].some((name) => !NUMBER.test(name));
  return names.size <= limit && isShort && 2 * rare <= names.size && isText;
}

const [readDay, readMonth] = [cached(dayOf), cached((day) => monthOf(day))];
const [readStars, readNps] = [cached(starsOf), cached(npsOf)];

/** Collects the figures and the rows of a report. */
export class Collector {
  constructor([first, last], columns) {
    this.labels = [first, NEUTRAL, MIXED, last];
    this.columns = columns;
    this.rows = 0;
    this.by = new Map(columns.by.map((name) => [name, new Counts()])); // periods and labels by value
    this.counts = { day: new Counts(), stars: new Counts(), length: new Counts(), score: new Counts() };
    this.random = randomNumbers();
    this.kept = []; // with their random numbers and their places
  }

  /** Add a row; `valueOf` returns the text in a column. */
  add(text, result, valueOf) {
    const { by, time, stars, is_nps } = this.columns;
    const label = result?.label ?? null;
    const score = result ? Number(result.score.toFixed(6)) : 1; // as files have it; without one, as NumPy counts it
    const day = time ? readDay(valueOf(time)) : "";
    const rated = stars ? (is_nps ? readNps : readStars)(valueOf(stars)) : 0;
    const size = lengthOf(text ?? "");
    this.counts.length.add(LENGTH_BINS[LENGTHS.findLastIndex((start, place) => !place || start <= size)], label);
    this.counts.score.add(SCORE_BINS[Math.min(19, Math.floor(20 * score + ROUNDING))], label);
    this.counts.day.add(day, label);
    this.counts.stars.add(String(rated), label);
    const groups = by.map((name) => beginning(valueOf(name), LONGEST_VALUE));
    groups.forEach((value, place) => this.by.get(by[place]).add(value, `${readMonth(day)} ${label ?? ""}`));
    const key = this.random();
    if (result) {
      const review = { text: beginning(text, LONGEST_TEXT), label, score, groups, day, stars: rated };
      this.kept.push([key, this.rows, review]);
    }
    if (this.kept.length > 2 * SAMPLE_SIZE) this.kept = firstOf(this.kept);
    this.rows++;
  }

  get isDayFirst() {
    return isDayFirst([...this.counts.day.keys()]);
  }

  /** A random sample of the rows with a score: those with the smallest random numbers. */
  get sample() {
    const dayFirst = this.isDayFirst;
    return firstOf(this.kept).map(([, , review]) => ({ ...review, day: settle(review.day, dayFirst) }));
  }
}

const firstOf = (kept) => kept.sort((one, other) => one[0] - other[0] || one[1] - other[1]).slice(0, SAMPLE_SIZE);

/** Return the number of rows with a label. */
export const labeledOf = (labels) => sum(labels.values()) - (labels.get("") ?? 0);
