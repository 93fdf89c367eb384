// The page of scored rows, as in sentcli/report/scored.py.

import { assets } from "package:report";
import { bySpan, NO_DATE, settle } from "./dates.js";
import { LENGTH_BINS, labeledOf, SCORE_BINS } from "./collector.js";
import { groupsOfTitle, tablesOf, wholeOf } from "./findings.js";
import { beginning, count, groupOf, lengthOf, MIXED, NEUTRAL, OTHERS, sum } from "./labels.js";
import { shaded } from "./page.js";
import { Subjects } from "./subjects.js";
import { fillIn } from "./templates.js";
import { findSince, isSince, timeline } from "./timeline.js";

const [WEAK, REPEATED] = [0.02, 4]; // the share of texts that is worth a warning, and the number of equal ones
const SHELF = 12; // rows to read
const LONG_ENOUGH = 30; // characters of a text that is worth reading; shorter ones come last

/** Return the page of what was collected. */
export async function renderScored(collected, explainer, title, model, rejected) {
  const figures = figuresOf(collected);
  const { sample } = collected;
  const label = collected.labels.at(-1);
  const subjects = await Subjects.of(sample.filter((row) => row.label), explainer, label, figures.since);
  const shelves = shelvesOf(sample);
  const spans = new Map();
  const quotes = [...subjects.blamed, ...subjects.praised].flatMap((row) => row.quotes);
  for (const { text } of [...Object.values(shelves).flat(), ...quotes]) {
    if (!spans.has(text)) spans.set(text, await shaded(explainer, text));
  }
  const weak = weakShares(sample, explainer.scorer);
  const values = { title, earlier: "", model, collected, asked: "", rejected, weak, shelves, subjects };
  return fillIn("scored.html.jinja", { ...values, shaded: (text) => spans.get(text), ...figures, ...assets });
}

// The most negative, most positive and least certain rows, and those against their stars.
function shelvesOf(sample) {
  const against = sample.filter((row) => row.stars && (row.stars - 3) * (row.score - 0.5) < 0);
  const best = (rows, key) => {
    const isShort = (row) => lengthOf(row.text) < LONG_ENOUGH;
    const sorted = [...rows].sort((one, other) => isShort(one) - isShort(other) || key(one.score) - key(other.score));
    const distinct = new Map(); // one of those that begin alike
    for (const row of sorted) {
      const start = beginning(row.text, 60).toLowerCase();
      if (!distinct.has(start)) distinct.set(start, row);
    }
    return [...distinct.values()].slice(0, SHELF);
  };
  return {
    negative: best(sample, (score) => score),
    positive: best(sample, (score) => -score),
    uncertain: best(sample, (score) => Math.abs(score - 0.5)),
    surprising: best(against, (score) => -Math.abs(score - 0.5)),
  };
}

// Which shares of the sample weaken the page: other languages, cut texts, one text many times.
function weakShares(sample, scorer) {
  const texts = new Map();
  for (const { text } of sample) count(texts, text);
  const repeated = Math.max(0, ...texts.values());
  const doubts = sample.map(({ text }) => scorer.encoder.doubtsOf(text));
  const counts = {
    other_language: doubts.filter((doubt) => doubt.isForeign).length,
    truncated: doubts.filter((doubt) => doubt.isTruncated).length,
    repeated: repeated >= REPEATED ? repeated : 0,
  };
  const shares = Object.entries(counts).filter(([, rows]) => rows > WEAK * sample.length);
  return new Map(shares.map(([name, rows]) => [name, rows / sample.length]));
}

function figuresOf(collected) {
  const { labels, counts } = collected;
  const [first, last] = [labels[0], labels.at(-1)];
  const groups = (kind, names) => names.map((name) => groupOf(name, counts[kind].get(name) ?? new Map(), last));
  const [scores, stars] = [groups("score", SCORE_BINS), groups("stars", [..."54321"])];
  const [high, low] = [stars.slice(0, 2), stars.slice(3)].map(labelsOf);
  const agreement = new Map([
    ["disagree", (low.get(last) ?? 0) + (high.get(first) ?? 0)],
    ["agree", (low.get(first) ?? 0) + (high.get(last) ?? 0)],
  ]);
  const days = bySpan(counts.day, "day");
  const undated = sum([NO_DATE, OTHERS].map((name) => labeledOf(days.get(name) ?? new Map())));
  for (const name of [NO_DATE, OTHERS]) days.delete(name);
  const since = findSince(new Map([...days].map(([day, rows]) => [day, labeledOf(rows)])));
  const dayFirst = collected.isDayFirst;
  const sideOf = (period) => {
    const day = settle(period, dayFirst);
    return since && /^\d/.test(day) ? isSince(day, since) : null;
  };
  const marks = new Map();
  for (const [day, rows] of counts.day) for (const [label, size] of rows) marks.set(`${day} ${label}`, size);
  const whole = wholeOf(marks, last, sideOf);
  const tables = tablesOf(collected.by, last, sideOf);
  const most = (group) => labels.reduce((one, other) => ((group.labels.get(other) ?? 0) > (group.labels.get(one) ?? 0) ? other : one));
  return {
    all: groupOf("", labelsOf(scores), last),
    bins: scores.map((group) => [group, most(group)]),
    lengths: groups("length", LENGTH_BINS).filter((group) => group.labeled),
    whole: whole.is_tested ? whole : null,
    in_title: groupsOfTitle(tables, whole),
    groups: tables,
    since,
    time: timeline(days, since, last),
    undated,
    stars: stars.filter((group) => group.labeled),
    agree: groupOf("", agreement, "agree"),
    undecided: sum([low, high].flatMap((side) => [NEUTRAL, MIXED].map((name) => side.get(name) ?? 0))),
  };
}

function labelsOf(groups) {
  const labels = new Map();
  for (const group of groups) for (const [name, rows] of group.labels) count(labels, name, rows);
  return labels;
}
