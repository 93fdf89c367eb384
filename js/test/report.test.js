// What the golden pages of tests/js/test_report.py may not have: ties, odd dates, small probabilities.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bySpan, dayOf, isDayFirst, settle, spanOf, written } from "../src/report/dates.js";
import { intervalOf, pOfFalls, pOfGroups } from "../src/report/evidence.js";
import { beginning, lengthOf, order } from "../src/report/labels.js";
import { fixed, formatted, general, percent, represented } from "../src/report/numbers.js";
import { randomNumbers } from "../src/report/random.js";
import { findSince } from "../src/report/timeline.js";

test("numbers are written as by Python", () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, 12.345].map((value) => fixed(value)), ["0", "2", "2", "-0", "12"]);
  assert.deepEqual([0.125, 0.375, 1.005].map((value) => fixed(value, 2)), ["0.12", "0.38", "1.00"]);
  assert.deepEqual([0, 33.333333, 0.00001, 123456, 100, 0.5].map((value) => general(value, 4)), ["0", "33.33", "1e-05", "1.235e+05", "100", "0.5"]);
  assert.deepEqual([0, -0, 1, 0.1, 1e-5, 1e16].map(represented), ["0.0", "-0.0", "1.0", "0.1", "1e-05", "1e+16"]);
  assert.equal(formatted("%.2f%% of {:,}", 8.125, 12345), "8.12% of 12,345");
  assert.deepEqual([percent(0.125), percent(null)], ["12\u00a0%", "-"]);
});

test("dates are read as by Python", () => {
  const dates = {
    "2025-12-31T10:00:00Z": "2025-12-31", "31/12/2025": "31/12/2025", "12.5.2025": "2025-05-12", "1.2.25": "",
    "3 Apr 2026": "2026-04-03", "April 3rd, 2026": "2026-04-03", "03-Apr-26": "2026-04-03", "Apr 2026": "2026-04",
    "Fri Apr 3 10:05:00 +0000 2026": "2026-04-03", 20250228: "2025-02-28", 1735689600: "2025-01-01", 45658: "2025-01-01",
    "2025-02-30": "", "30/02/2025": "", "0001-01-01": "", never: "",
  };
  for (const [value, day] of Object.entries(dates)) assert.equal(dayOf(value), day, value);
  assert.deepEqual([isDayFirst(["31/12/2025"]), isDayFirst(["12/31/2025"]), settle("03/04/2025", false)], [true, false, "2025-03-04"]);
  assert.deepEqual(["week", "month", "quarter", "year"].map((span) => spanOf("2024-12-30", span)), ["2025-W01", "2024-12", "2024-Q4", "2024"]);
  assert.deepEqual([...bySpan(new Map([["2025-01-02", new Map([["a", 2]])], ["", new Map([["a", 1]])]]), "year").keys()], ["2025", "(no date)"]);
  assert.equal(written("2025-04-05"), "5 April 2025");
  const days = new Map([...Array(12).keys()].map((month) => [`2025-${String(month + 1).padStart(2, "0")}-28`, 40]));
  assert.equal(findSince(days), "2025-10-01");
});

test("tests and intervals are those of Python", () => {
  const isNear = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);
  const groups = [[40, 100], [55, 90], [10, 50]];
  isNear(pOfGroups(groups), 1.9047082644066818e-05);
  isNear(pOfGroups([[900, 1000], [100, 1000]]), 9.4239817938377e-102);
  const falls = [0.044530910312056235, 0.9511704059524124, 0.08277638546240544];
  pOfFalls(groups, [[10, 40], [30, 40], [30000, 200000]]).forEach((p, place) => isNear(p, falls[place]));
  const [low, high] = [0.06873274647089056, 0.3418009333892832];
  intervalOf([40, 100], [55, 90]).forEach((bound, place) => isNear(bound, [low, high][place]));
});

test("characters are counted, not halves of them", () => {
  assert.deepEqual([lengthOf("a😀b"), beginning("a😀bc", 3)], [3, "a😀b"]);
  assert.ok(order("\uffff", "😀") < 0 && order("a", "ab") < 0 && order("b", "a") > 0 && order("a", "a") === 0);
});

test("the same rows are drawn as by NumPy", () => {
  const next = randomNumbers();
  assert.deepEqual([next(), next(), next()], [0.6666439227823373, 0.05617939010977746, 0.38855488773915603]);
});
