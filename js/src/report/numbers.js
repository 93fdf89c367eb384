// Numbers as Python writes them.

const NO_BREAK = "\u00a0";

/** Return a number with so many decimals; a tie goes to the even digit. */
export function fixed(value, digits = 0) {
  const usual = value.toFixed(digits);
  const exact = Math.abs(value).toFixed(100);
  const point = exact.indexOf(".");
  const isTie = /^50*$/.test(exact.slice(point + 1 + digits));
  if (!isTie) return usual;
  const low = exact.slice(0, point + (digits && 1 + digits));
  return Number(low.at(-1)) % 2 ? usual : (value < 0 ? "-" : "") + low;
}

/** Return a number with so many significant digits, as `%.4g`. */
export function general(value, digits) {
  if (!value) return Object.is(value, -0) ? "-0" : "0";
  const exponent = Number(value.toExponential(digits - 1).split("e")[1]);
  if (exponent < -4 || exponent >= digits) {
    const [number, power] = value.toExponential(digits - 1).split("e");
    return `${trimmed(number)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  return trimmed(fixed(value, digits - 1 - exponent));
}

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** Return a float as `repr` does. */
export function represented(value) {
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size && (size < 1e-4 || size >= 1e16)) {
    const [number, power] = value.toExponential().split("e");
    return `${number}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

export const thousands = (value) => Number(value).toLocaleString("en-US");
export const percent = (share, digits = 0) => (share == null ? "-" : `${fixed(100 * share, digits)}${NO_BREAK}%`);

/** Return a number or a text by a format such as %.2f, %.2g%% or {:,}. */
export function formatted(format, ...values) {
  return format.replace(/%\.(\d)([fg])|%%|\{:,\}|\{\}/g, (found, digits, kind) => {
    if (found === "%%") return "%";
    const value = values.shift();
    if (kind) return (kind === "f" ? fixed : general)(value, Number(digits));
    return found === "{}" ? value : thousands(value);
  });
}
