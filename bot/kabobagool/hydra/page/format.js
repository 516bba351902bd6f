// Numbers and words for people. The server sends dollars and shares as decimal text; nothing that is shown here is ever sent back.

const whole = new Intl.NumberFormat("en-US");
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const parts = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

export const UNKNOWN = "–";

/** A count: 1204 -> "1,204". What nobody knows (null) looks the same everywhere. */
export const count = (number) => (number === null ? UNKNOWN : whole.format(number));

/** Dollars: "-1.5" -> "-$1.50". */
export function dollars(text) {
  if (text === null) return UNKNOWN;
  const rounded = Math.round(Number(text) * 100) / 100;
  return `${rounded < 0 ? "-" : ""}$${cents.format(Math.abs(rounded))}`;
}

/** Shares with at most two decimals, in front of them a sign when asked. */
export function shares(text, { signed = false } = {}) {
  if (text === null) return UNKNOWN;
  const number = Number(text);
  return `${signed && number > 0 ? "+" : ""}${parts.format(number)}`;
}

/** A price with at least so many decimals, so that a column lines up: "0.5" -> "0.500". */
export function price(text, decimals = 3) {
  if (text === null || text === undefined) return UNKNOWN;
  const [integer, fraction = ""] = text.split(".");
  return `${integer}.${fraction.padEnd(decimals, "0")}`;
}

/** A pair's cost to a hundredth of a cent, cut and not rounded: 0.99996 must not read as one dollar. */
export function pairCost(text) {
  return text === null ? UNKNOWN : price(text, 4).slice(0, text.indexOf(".") < 0 ? undefined : text.indexOf(".") + 5);
}

/** A span: 75_000 ms -> "1 min 15 s". Two units at most. */
export function span(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** A span of whole seconds that does not flicker: "41 s", "2 min". */
export function roughly(milliseconds) {
  return milliseconds < 10_000 ? `${Math.floor(Math.max(0, milliseconds) / 1000)} s` : span(milliseconds).split(" ").slice(0, 2).join(" ");
}

/** The time of day of a moment, in the reader's own time zone. */
export const clock = (ms) =>
  new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** A reason as words: "legs_apart_in_time" -> "legs apart in time". */
export const words = (reason) => reason.replaceAll("_", " ");

/** An address or hash short enough for a line. */
export const short = (text) => (text.length > 16 ? `${text.slice(0, 6)}…${text.slice(-5)}` : text);

/** The sum of counts by name; null when they are not known. */
export const total = (counts) => (counts === null ? null : Object.values(counts).reduce((sum, number) => sum + number, 0));

/** Counts by name in words, without those that are nothing: "3 killed, 1 unknown". */
export function listed(counts) {
  const happened = Object.entries(counts).filter(([, number]) => number);
  return happened.map(([name, number]) => `${count(number)} ${words(name)}`).join(", ");
}
