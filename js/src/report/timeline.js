// Time in a report: the period that is compared, and the chart, as in sentcli/report/timeline.py.

import { bySpan, dayAt, numberOf, spanOf, written } from "./dates.js";
import { groupOf, order, sum } from "./labels.js";

const SPANS = [3, 1]; // months of the period
const [FEWEST, MOST_SHARE] = [30, 1 / 3]; // rows of the period
const STRAY = 1 / 1000; // of the rows: as many may be later than the last month, by mistyped dates
const LAST_DAYS = "25"; // a month is full if it has a row from this day on
const LONGEST = { day: 62, week: 210, month: 1_826, quarter: 5_478, year: 10 ** 7 }; // days of a chart
const TICKS = 5;

/** Return the first day of the period that is compared with the time before it; "" if there is none. */
export function findSince(days) {
  const total = sum(days.values());
  let later = 0;
  const latest = [...days.keys()].sort().reverse();
  const last = latest.find((day) => (later += days.get(day)) > STRAY * total) ?? "0001-01";
  const full = last.slice(8) >= LAST_DAYS || last.length < 8;
  const first = 12 * Number(last.slice(0, 4)) + Number(last.slice(5, 7)) - 1 + full; // month after the full ones
  for (const size of SPANS) {
    const [year, month] = [Math.floor((first - size) / 12), ((first - size) % 12) + 1];
    const since = `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-01`;
    const rows = sum([...days].filter(([day]) => isSince(day, since)).map(([, count]) => count));
    if (FEWEST <= rows && rows <= MOST_SHARE * total) return since;
  }
  return "";
}

/** Return whether a day, or the first day of a month, is not before a day. */
export const isSince = (day, since) => `${day}-01`.slice(0, 10) >= since;

/** Return the points of a chart, and where its period and its ticks are, from 0 to 1; null for one point. */
export function timeline(days, since, label) {
  const hasLabel = ([, labels]) => [...labels.keys()].some(Boolean);
  const dated = new Map([...days].filter(hasLabel).sort(([one], [other]) => order(one, other)));
  const numbers = [...dated.keys()].map(numberOf);
  const [first, last] = [numbers[0] ?? 0, numbers.at(-1) ?? 0];
  let names = Object.keys(LONGEST);
  if ([...dated.keys()].some((day) => day.length === 7)) names = names.slice(names.indexOf("month"));
  const span = names.find((name) => last - first < LONGEST[name]);
  const groups = bySpan(dated, span);
  const starts = new Map([...dated.keys()].reverse().map((day) => [spanOf(day, span), numberOf(day)]));
  if (groups.size < 2) return null;
  const place = (number) => (number - first) / (last - first);
  const scale = ["day", "year"].includes(span) ? span : "month";
  const ticks = Array.from({ length: TICKS + 1 }, (_, step) => first + Math.floor(((last - first) * step) / TICKS));
  return {
    span,
    points: [...groups].map(([name, labels]) => [place(starts.get(name)), groupOf(written(name), labels, label)]),
    since: since ? place(numberOf(since)) : null,
    ticks: new Map(ticks.map((tick) => [written(spanOf(dayAt(tick), scale)), place(tick)])),
  };
}
