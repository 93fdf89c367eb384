// Fill in the templates of sentcli/report/, which the build has precompiled, with the types and filters of Jinja.

import nunjucks from "nunjucks/browser/nunjucks-slim.js";
import { templates } from "package:report";
import { written } from "./dates.js";
import { beginning, lengthOf, order, sum } from "./labels.js";
import { fixed, formatted, general, percent, represented, thousands } from "./numbers.js";

const { runtime } = nunjucks;
const ESCAPED = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };

runtime.suppressValue = (value) => {
  if (value instanceof runtime.SafeString) return value;
  return String(value ?? "").replace(/[&<>"']/g, (mark) => ESCAPED[mark]);
};

const METHODS = {
  append: (list, item) => void list.push(item),
  extend: (list, items) => void list.push(...items),
  index: (list, item) => list.indexOf(item),
  format: (text, ...values) => formatted(text, ...values),
  split: (text) => text.split(/\s+/u).filter(Boolean),
  items: (map) => [...map],
  get: (map, name, usual) => (map instanceof Map ? map.get(name) : map[name]) ?? usual,
};

// A slice has four arguments; a key may be that of a Map, a negative place, or a method of Python.
runtime.memberLookup = (value, key, stop, step) => {
  if (step !== undefined) return typeof value === "string" ? beginning(value, stop) : value.slice(key ?? 0, stop ?? undefined);
  if (value instanceof Map && value.has(key)) return value.get(key);
  if (Array.isArray(value) && key < 0) return value.at(key);
  const found = value?.[key];
  const isMethod = Object.hasOwn(METHODS, key) && (found === undefined || typeof found === "function");
  if (isMethod) return (...rest) => METHODS[key](value, ...rest);
  return typeof found === "function" ? found.bind(value) : found;
};

// The value at a path such as all.0.
const at = (item, path) => String(path).split(".").reduce((value, key) => runtime.memberLookup(value, key), item);
const attributeOf = (value) => (typeof value === "object" ? value.attribute : value);
const lower = (value) => (typeof value === "string" ? value.toLowerCase() : value);
const compared = (one, other) => (typeof one === "string" ? order(lower(one), lower(other)) : one - other);
const TESTS = { eq: (value, other) => value === other, equalto: (value, other) => value === other };
const isTrue = (value, test, other) => (test ? TESTS[test](value, other) : Boolean(value));

const FILTERS = {
  percent: (share) => percent(share),
  exact: (share) => percent(share, 1),
  points(share) {
    const isNegative = share < 0 || Object.is(share, -0);
    return (isNegative ? "\u2212" : "+") + fixed(Math.abs(100 * share), 1);
  },
  place: (share) => `${general(100 * share, 4)}%`,
  written: (day) => written(day.replace(/-01$/, "")),
  within(parts, room) {
    let size = 0;
    return parts.filter((part) => (size += lengthOf(part)) <= room);
  },
  zip: (values, others) => values.map((value, place) => [value, others[place]]),
  thousands,
  format: formatted,
  length: (value) => (typeof value === "string" ? lengthOf(value) : (value.size ?? value.length)),
  map: (values, by) => values.map((value) => (by === "first" ? value[0] : at(value, by.attribute))),
  select: (values) => values.filter((value) => isTrue(value)),
  selectattr: (values, name, test, other) => values.filter((value) => isTrue(at(value, name), test, other)),
  reject: (values, test, other) => values.filter((value) => !isTrue(value, test, other)),
  unique: (values) => [...new Set(values)],
  sort(values, { attribute, reverse } = {}) {
    const key = (value) => (attribute ? at(value, attribute) : value);
    return [...values].sort((one, other) => (reverse ? -1 : 1) * compared(key(one), key(other)));
  },
  sum: (values, by) => sum(values.map((value) => at(value, attributeOf(by)))),
  max: (values) => values.reduce((most, value) => (value > most ? value : most)),
  min: (values) => values.reduce((least, value) => (value < least ? value : least)),
  // A number as a text, because 0.0 is not 0.
  round: (value, digits) => (value === 0 && !Object.is(value, -0) ? "0" : represented(Number(fixed(value, digits)))),
  string: (value) => (typeof value === "number" ? represented(value) : value),
  int: (value) => Math.trunc(value),
  float: Number,
};

const environment = new nunjucks.Environment({ getSource: (name) => ({ src: { type: "code", obj: templates[name] }, path: name }) });
for (const [name, filter] of Object.entries(FILTERS)) environment.addFilter(name, filter);
environment.addGlobal("dict", (pairs) => new Map(pairs));

/** Return the page of a template. */
export const fillIn = (template, values) => environment.render(template, values);
