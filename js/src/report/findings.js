// What a page says of named sets of rows, as in sentcli/report/findings.py.

import * as evidence from "./evidence.js";
import { DIFFER, shareOf } from "./evidence.js";
import { isGroup, order, sortedBy, sum, wilsonInterval } from "./labels.js";
import { fixed } from "./numbers.js";

const [FALLS, RISES, WHOLE] = [0.042, 0.003, 0.0025];
const MOST_ROWS = 40; // of a table
const ENDS = 20; // of more groups: those with the lowest and with the highest shares
const MOST_CHANGED = 16; // of more groups
const [MOST_IN_TITLE, MOST_APART] = [3, 2];

/** A named set of rows, with the counts of a label: [rows with it, rows with any]. */
export class Finding {
  name = "";
  all = [0, 0];
  before = [0, 0];
  since = [0, 0];
  rows = 0;
  part = 0;
  p = 0.5;
  tier = "";
  is_named = false;

  constructor(values) {
    Object.assign(this, values);
  }

  with(values) {
    return new this.constructor({ ...this, ...values });
  }

  get share() {
    return this.all[1] ? shareOf(this.all) : null;
  }

  get interval() {
    return wilsonInterval(...this.all);
  }

  get is_tested() {
    return this.before[1] > 0 && this.since[1] > 0 && isGroup(this.name);
  }

  get doubt() {
    return 2 * Math.min(this.p, 1 - this.p);
  }

  get points() {
    return shareOf(this.since) - shareOf(this.before);
  }

  get change() {
    return evidence.intervalOf(this.before, this.since);
  }
}

/** Return findings with their p; the tests are corrected for their number. */
export function judged(family, falls, rises, chance = evidence.CHANCE) {
  const ps = evidence.pOfFalls(family.map((own) => own.before), family.map((own) => own.since));
  const found = family.map((own, place) => (own.is_tested ? own.with({ p: ps[place] }) : own));
  const doubts = found.filter((own) => own.is_tested).map((own) => own.doubt);
  const [limit, count] = [evidence.limitOf(doubts, chance), Math.max(1, doubts.length)];
  return found.map((own) =>
    own.with({
      tier: evidence.tierOf(own.doubt, limit),
      is_named: own.p <= falls / count || 1 - own.p <= rises / count,
    }),
  );
}

/** Return the finding of all rows; `marks` are the rows by period and label. */
export function wholeOf(marks, label, sideOf) {
  return judged([counted("all", marks, label, sideOf)], WHOLE, WHOLE, 2 * WHOLE)[0];
}

function counted(name, marks, label, sideOf) {
  const sides = new Map([[false, [0, 0]], [true, [0, 0]], [null, [0, 0]]]);
  for (const [mark, size] of marks) {
    const place = mark.indexOf(" ");
    const own = mark.slice(place + 1);
    if (!own) continue;
    const pair = sides.get(sideOf(mark.slice(0, place)));
    pair[0] += own === label ? size : 0;
    pair[1] += size;
  }
  const [before, since] = [sides.get(false), sides.get(true)];
  return new Finding({ name, all: total([...sides.values()]), before, since, rows: sum(marks.values()) });
}

/** The groups of a column, those with the most rows first. */
class Table {
  constructor(column, groups) {
    Object.assign(this, { column, groups });
    this.known = groups.filter((own) => isGroup(own.name) && own.all[1]);
    this.p = evidence.pOfGroups(this.known.map((own) => own.all));
    this.is_ranked = this.p <= DIFFER;
    this.verdict = evidence.verdictOf(this.p, fixed);
    const apart = this.is_ranked ? againstRest(this.known, total(this.known.map((own) => own.all))) : [];
    this.apart = surest(apart, "is_named").slice(0, MOST_APART);
    this.named = surest(groups, "is_named");
    this.rows = this.shown();
  }

  // What changed, then by share if they differ, else by rows.
  shown() {
    const changed = sortedBy(surest(this.groups, "tier").slice(0, MOST_CHANGED), (own) => own.part);
    let shown = this.groups.slice(0, MOST_ROWS);
    if (this.is_ranked) {
      if (this.groups.length > MOST_ROWS) {
        const low = sortedBy(this.known, (own) => own.interval[1]);
        const high = sortedBy(this.known, (own) => -own.interval[0]);
        shown = [...low.slice(0, ENDS), ...high.slice(0, ENDS)];
      }
      shown = sortedBy(shown, (own) => -(own.share ?? 0));
    }
    return [...new Map([...changed, ...shown].map((own) => [own.name, own])).values()];
  }
}

const surest = (groups, kind) => sortedBy(groups.filter((own) => own[kind]), (own) => own.doubt);

/** Return the tables of columns with several groups, those with the most evidence first. */
export function tablesOf(by, label, sideOf) {
  const columns = [...by].filter(([, values]) => values.size > 1);
  const tables = columns.map(([column, values]) => {
    const sorted = [...values].sort(([one], [other]) => order(one, other));
    const groups = withParts(sorted.map(([value, marks]) => counted(value, marks, label, sideOf)));
    const found = judged(groups, FALLS / columns.length, RISES / columns.length);
    return new Table(column, sortedBy(found, (own) => -own.rows));
  });
  const doubt = (table) => table.named[0]?.doubt ?? 1;
  return tables.sort((one, other) => doubt(one) - doubt(other) || one.p - other.p);
}

/** Return groups, each compared with all other rows together. */
export function againstRest(groups, whole) {
  const found = groups.map((own) => own.with({ before: [whole[0] - own.all[0], whole[1] - own.all[1]], since: own.all }));
  return judged(found, DIFFER / 2, DIFFER / 2);
}

// The parts of groups add up to the change of all rows.
function withParts(groups) {
  const [before, since] = ["before", "since"].map((side) => total(groups.map((own) => own[side])));
  const middle = (shareOf(before) + shareOf(since)) / 2;
  const added = (counts, whole) => (counts[0] - counts[1] * middle) / Math.max(1, whole[1]);
  return groups.map((own) => own.with({ part: added(own.since, since) - added(own.before, before) }));
}

function total(pairs) {
  return [0, 1].map((place) => sum(pairs.map((pair) => pair[place])));
}

/** Return the groups in whose change the title consists; none if that of all rows is the finding. */
export function groupsOfTitle(tables, whole) {
  const named = tables[0]?.named ?? [];
  if (whole.is_named && Math.abs(sum(named.map((own) => own.part))) < Math.abs(whole.points) / 2) return [];
  return named.filter((own) => own.points < 0 === named[0].points < 0).slice(0, MOST_IN_TITLE);
}
