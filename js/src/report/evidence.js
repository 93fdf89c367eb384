// What counts show, and what may be chance, as in sentcli/scoring/evidence.py. Counts are [successes, trials].

import { sortedBy, sum, wilsonInterval } from "./labels.js";

const ALONE = 0.05; // the largest p of what holds alone
export const CHANCE = 0.1; // of what is called clear, the share that is chance
export const DIFFER = 0.003; // the largest p of groups that differ
const MANY = 100_000; // trials, of which a distribution is nearly normal

export const shareOf = ([successes, trials]) => (trials ? successes / trials : 0.5);

/** Return Newcombe's 95 % interval of the difference of two shares. */
export function intervalOf(before, since) {
  const [[low0, high0], [low1, high1]] = [wilsonInterval(...before), wilsonInterval(...since)];
  const [share0, share1] = [shareOf(before), shareOf(since)];
  const below = Math.hypot(share1 - low1, high0 - share0);
  const above = Math.hypot(high1 - share1, share0 - low0);
  return [share1 - share0 - below, share1 - share0 + above];
}

/** Return the p of groups that do not differ: chi-square with its exact mean and variance. */
export function pOfGroups(groups) {
  const tried = groups.filter(([, trials]) => trials);
  const { size, total, chi } = chiOf(tried, 0);
  if (tried.length < 2 || total === 0 || total === size || size < 4) return 1;
  const parts = [2, tried.length];
  const free = parts.map((part) => ((part - 1) * (size - part)) / (size - 1));
  const spread = [size / total + size / (size - total), sum(tried.map(([, trials]) => size / trials))];
  const skew = spread.map((sums, place) => (sums - parts[place] ** 2) / (size - 2));
  const mean = ((tried.length - 1) * size) / (size - 1);
  let variance = ((2 * size) / (size - 3)) * (free[0] - skew[0]) * (free[1] - skew[1]);
  variance += (size ** 2 / (size - 1)) * skew[0] * skew[1];
  const ninth = variance / (9 * mean ** 2);
  return variance > 0 ? upperTail(((chi / mean) ** (1 / 3) - 1 + ninth) / Math.sqrt(ninth)) : 1;
}

// The chi-square of groups with a share that is that of all, with some successes of as many failures added.
function chiOf(groups, added) {
  const [total, size] = [0, 1].map((place) => sum(groups.map((group) => group[place])));
  const share = (total + added) / (size + 2 * added);
  const squares = groups.map(([successes, trials]) => (successes - trials * share) ** 2 / trials);
  return { size, total, share, chi: sum(squares) / (share * (1 - share)) };
}

/** Return for each group the one-sided p of so few successes, if nothing changed: beta-binomial, empirical Bayes. */
export function pOfFalls(before, since) {
  const prior = priorOf(before.filter(([, trials]) => trials));
  return before.map((pair, place) => pOfFall(prior, pair, since[place]));
}

function pOfFall(prior, before, [successes, trials]) {
  const [yes, no] = [prior[0] + before[0], prior[1] + before[1] - before[0]];
  if (trials > MANY) {
    const [share, size] = [yes / (yes + no), yes + no];
    return upperTail((trials * share - successes) / Math.sqrt((share * (1 - share) * trials * (size + trials)) / (size + 1)));
  }
  const logs = [0];
  for (let at = 0; at < trials; at++) {
    const step = Math.log(trials - at) + Math.log(at + yes) - Math.log(at + 1) - Math.log(trials - at - 1 + no);
    logs.push(logs[at] + step);
  }
  const largest = logs.reduce((one, other) => Math.max(one, other));
  const odds = logs.map((log) => Math.exp(log - largest));
  return (sum(odds.slice(0, successes)) + odds[successes] / 2) / sum(odds);
}

// The beta distribution of the shares of groups: Jeffreys' for a single one.
function priorOf(groups) {
  if (groups.length < 2) return [0.5, 0.5];
  const { size, share, chi } = chiOf(groups, 0.5);
  const excess = (chi - (groups.length - 1)) / (size - sum(groups.map(([, trials]) => trials ** 2)) / size);
  const weight = 1 / Math.min(0.5, Math.max(excess, 1 / (size + 1))) - 1;
  return [share * weight, (1 - share) * weight];
}

/** Return the largest p of a family that is clear (Benjamini and Hochberg). */
export function limitOf(ps, chance = CHANCE) {
  const passed = sortedBy(ps, Number).filter((p, place) => p <= (chance * (place + 1)) / ps.length);
  return Math.min(ALONE, passed.at(-1) ?? 0);
}

export const tierOf = (p, limit) => (p <= limit ? "clear" : p < ALONE ? "worth a look" : "");

/** Return whether groups differ, for a sentence. */
export function verdictOf(p, fixed) {
  const shown = p < 0.001 ? "p < 0.001" : p < 0.1 ? `p = ${fixed(p, 3)}` : `p = ${fixed(p, 2)}`;
  const differ = {
    clear: "differ by more than chance",
    "worth a look": "may differ: worth a look",
    "": "do not differ by more than chance",
  };
  return `${differ[tierOf(p, DIFFER)]} (${shown})`;
}

const upperTail = (z) => erfc(z / Math.SQRT2) / 2;

// The complementary error function: its series near 0, its continued fraction beyond.
function erfc(x) {
  if (x < 0) return 2 - erfc(-x);
  const power = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2) {
    let [term, total] = [x, x];
    for (let step = 1; term > total * 1e-17; step++) total += term *= (2 * x * x) / (2 * step + 1);
    return 1 - 2 * power * total;
  }
  let rest = x;
  for (let step = 120; step > 0; step--) rest = x + step / 2 / rest;
  return power / rest;
}
