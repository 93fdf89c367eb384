// Ratings as people and tools export them, as in sentcli/report/ratings.py.

import { lists } from "package:report";

const USUAL = ["stars", "starrating", "reviewstars", "rating", "reviewrating", "ratings", "overall", "score"];
const RATED = /rating|rated|(?<![\p{L}\p{N}_])stars?(?![\p{L}\p{N}_])|score|satisf|csat/iu;
const RECOMMENDED = /(?<![\p{L}\p{N}_])nps(?![\p{L}\p{N}_])|nps.?score|recommend|promoter/iu;
const NPS_VALUE = /^(10|\d)(?:\.0*)?(?:\s*[-:=(\u2013].*)?$/;
const NUMBER = /^(?:rated )?(\d+(?:[.,]\d*)?)(?: ?(?:\/|out of|of) ?(5|10|100))?(?:[ -]?stars?| bubbles?| ?[★⭐]\ufe0f?)?$/u;
const OF_WORD = new Map(lists.ratings.split("\n").flatMap((words, place) => words.split(", ").map((word) => [word, place + 1])));

/** Return the whole number of stars of a rating, such as 4.0, FIVE, 4 out of 5, ★★★★☆; 0 for anything else. */
export function starsOf(value) {
  const text = value.trim().toLowerCase();
  const found = text.match(NUMBER);
  if (found) {
    const number = (Number(found[1].replace(",", ".")) * 5) / Number(found[2] ?? 5);
    return number >= 0.5 && number <= 5 ? Math.floor(number + 0.5) : 0;
  }
  if (/^[★⭐☆✩\ufe0f]+$/u.test(text)) return Math.min(5, [...text].filter((mark) => "★⭐".includes(mark)).length);
  return OF_WORD.get(text.replace(/^\d+ ?[-:=.)\u2013]+ ?| ?\(\d+\)$|[ -]stars?$/g, "")) ?? 0;
}

/** Return the stars that equal an answer from 0 to 10: detractors (0 to 6) one, passives three, promoters five. */
export function npsOf(value) {
  const found = value.trim().match(NPS_VALUE);
  const likely = found ? Number(found[1]) : -1;
  return likely < 0 ? 0 : likely < 7 ? 1 : likely < 9 ? 3 : 5;
}

/** Return the column with ratings among those whose values are some. */
export function findRating(rated) {
  const plain = (name) => name.replace(/[^\p{L}\p{N}]+/gu, "").toLowerCase();
  const usual = USUAL.map((name) => {
    const alike = rated.filter((column) => plain(column) === name);
    return alike.includes(name) ? alike.filter((column) => column === name) : alike;
  }).find((columns) => columns.length);
  if (usual?.length === 1) return usual[0];
  const others = rated.filter((name) => RATED.test(name));
  return others.length === 1 ? others[0] : null;
}

/** Return whether a column asks how likely one is to recommend, and values have 0 or 6 to 10. */
export const mayBeNps = (name, values) => RECOMMENDED.test(name) && !values.every(starsOf);
