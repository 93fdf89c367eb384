// Dates as people write them, as in sentcli/scoring/dates.py. A day is a text: 2025-12-31, or 2025-12 for a month, or
// 03/04/2025 in the order in which it is written.

export const NO_DATE = "(no date)";
const LONGEST = 80; // characters of a date with its time and with words before it
const LAST_CENTURY = 70;
const DAY = 86_400_000; // milliseconds
const EXCEL = 25_569; // days from the first one of Excel to 1970
const MONTH_NAMES = "January February March April May June July August September October November December".split(" ");
const SHORT = MONTH_NAMES.map((name) => name.slice(0, 3).toLowerCase());

const NUMBERS = /(?<!\d)([12]\d{3}|\d\d?)([-/.])\s?(\d\d?)(?:\2\s?(\d{4}|\d\d?))?(?!\.?\d)/;
const name = `(?<![a-z])(?<!\\d{4}[-\\s])(NAME)(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?(?![a-z])[-\\s./,'\\u2019]*`
  .replace("NAME", SHORT.join("|"));
const TIME = "(?:\\d\\d?:\\d\\d(?::\\d\\d)?\\s+(?:(?:[-+]\\d{4}|[a-z]{2,4})\\s+)?)?";
// 3 Apr 2026, 03-Apr-26; April 3rd, 2026, Apr 2026, Fri Apr 3 10:05:00 +0000 2026.
const NAMED = new RegExp(
  `(?<!\\d)(\\d\\d?)(?:st|nd|rd|th)?[-\\s./]*(?:of\\s+)?${name}${TIME}(\\d{4}|\\d\\d(?!:))(?!\\d)` +
    `|${name}(?:(\\d\\d?)(?:st|nd|rd|th)?[-\\s,]+)?${TIME}(\\d{4}|(?<=[-'\\u2019])\\d\\d(?!:))(?!\\d)`,
  "i",
);
const COMPACT = /^([12]\d{3})(\d\d)(\d\d)(?:T.*|\d{4}|\d{6})?$/;

/** Return the day of a date, a timestamp, a number of (milli)seconds since 1970, or a number of Excel; "" of another. */
export function dayOf(value) {
  if (value.length > LONGEST) return "";
  let found = value.match(NUMBERS);
  if (found) return dayOfNumbers(...found.slice(1).map((part) => part ?? ""));
  found = value.match(NAMED);
  if (found) {
    const month = SHORT.indexOf((found[2] ?? found[4]).toLowerCase()) + 1;
    return iso(found[3] ?? found[6], month, found[1] ?? found[5]);
  }
  found = value.match(COMPACT);
  if (found) return iso(found[1], found[2], found[3]);
  const whole = value.split(".")[0];
  const number = /^\d+$/.test(whole) ? Number(whole.slice(0, 10)) : 0; // of milliseconds, the seconds
  if (number >= 1e8 && number < 2 ** 32) return dayAt(Math.floor(number / 86_400));
  return number >= 32_874 && number < 54_789 ? dayAt(number - EXCEL) : "";
}

function dayOfNumbers(first, mark, second, third) {
  if (first.length === 4) return third || mark !== "." ? iso(first, second, third) : "";
  const isVersion = mark === "." && (first + second + third).length < "311225".length;
  if (third.length < 2 || isVersion) return "";
  const day = `${first.padStart(2, "0")}/${second.padStart(2, "0")}/${yearOf(third)}`;
  const settled = settle(day, true);
  return settled && mark !== "." ? day : settled;
}

function iso(year, month, day) {
  const parts = [yearOf(year), Number(month), Number(day || 1)];
  const text = `${String(parts[0]).padStart(4, "0")}-${parts.slice(1).map((part) => String(part).padStart(2, "0")).join("-")}`;
  const isDay = parts.every(Boolean) && !Number.isNaN(Date.parse(text)) && dayAt(numberOf(text)) === text;
  return isDay ? (day ? text : text.slice(0, 7)) : "";
}

function yearOf(digits) {
  const year = Number(digits);
  return year > 99 ? year : year + (year < LAST_CENTURY ? 2000 : 1900);
}

/** Return the number of a day, or of the first day of a month. */
export const numberOf = (day) => Date.parse(`${day}-01`.slice(0, 10)) / DAY;
/** Return the day with a number. */
export const dayAt = (number) => new Date(number * DAY).toISOString().slice(0, 10);

/** Return a day as 2025-12-31; in the other order if this one has no such day, "" if none has. */
export function settle(day, dayFirst) {
  if (!day.includes("/")) return day;
  const [first, second, year] = day.split("/");
  const [usual, other] = [iso(year, second, first), iso(year, first, second)];
  return dayFirst ? usual || other : other || usual;
}

/** Return the month of a day; of a day in the month of `kept`, or whose month is not sure yet, the day itself. */
export function monthOf(day, kept = "") {
  const [settled, other] = [settle(day, true), settle(day, false)];
  return settled === other && settled.slice(0, 7) !== kept.slice(0, 7) ? settled.slice(0, 7) : day;
}

/** Return whether the days of a column come first. */
export function isDayFirst(days) {
  const written = days.filter((day) => day.includes("/")).map((day) => [day.slice(0, 2), day.slice(3, 5), day.slice(6)]);
  const above = [0, 1].map((place) => written.filter((day) => day[place] > "12").length);
  const months = [0, 1].map((place) => new Set(written.map((day) => `${day[place]} ${day[2]}`)).size);
  return above[0] === above[1] ? months[0] > months[1] : above[0] > above[1];
}

/** Return the counts of days, a Map of Maps, as those of spans. */
export function bySpan(days, span) {
  const dayFirst = isDayFirst([...days.keys()]);
  const spans = new Map();
  for (const [day, counts] of days) {
    const name = spanOf(settle(day, dayFirst), span);
    if (!spans.has(name)) spans.set(name, new Map());
    for (const [label, rows] of counts) spans.get(name).set(label, (spans.get(name).get(label) ?? 0) + rows);
  }
  return spans;
}

/** Return the span of a day: 2025-W14, 2025-04, 2025-Q2 or 2025; what is no day stays as it is. */
export function spanOf(day, span) {
  if (!/^\d/.test(day)) return day || NO_DATE;
  if (span === "week" && day.length > 7) return weekOf(numberOf(day));
  if (span === "quarter") return `${day.slice(0, 4)}-Q${Math.floor((Number(day.slice(5, 7)) + 2) / 3)}`;
  return day.slice(0, { year: 4, month: 7 }[span]);
}

// The week of ISO 8601: that of its Thursday.
function weekOf(number) {
  const thursday = number - ((((number + 3) % 7) + 7) % 7) + 3;
  const year = dayAt(thursday).slice(0, 4);
  const week = Math.floor((thursday - numberOf(`${year}-01-01`)) / 7) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}

/** Return a day or a month as people write it, such as 5 April 2025; another span stays as it is. */
export function written(day) {
  const [year, month = "", number = ""] = day.split("-");
  if (!/^\d+$/.test(month)) return day;
  return `${number.replace(/^0+/, "")} ${MONTH_NAMES[month - 1]} ${year}`.trim();
}
