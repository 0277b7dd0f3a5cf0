// Numbers, times and sizes as people read them.

const whole = new Intl.NumberFormat("en");

export function count(value) {
  return whole.format(value);
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Three significant digits below a thousand. */
export function amount(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return count(Math.round(value));
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.01 || size === 0) return size === 0 ? "0" : value.toFixed(2);
  return size >= 0.0001 ? value.toFixed(4) : value.toExponential(0);
}

/** A figure between 0 and 1, or any other metric. */
export function figure(value) {
  if (value === undefined || value === null) return "–";
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(4);
}

export function millis(value) {
  if (value === undefined || value === null) return "–";
  if (value < 1) return `${value.toFixed(2)} ms`;
  return value < 100 ? `${value.toFixed(1)} ms` : `${count(Math.round(value))} ms`;
}

/** How long something took or has lasted. */
export function span(ms) {
  if (ms === undefined || ms === null) return "–";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const both = (large, small) => (small.startsWith("0 ") ? large : `${large} ${small}`);
  if (minutes < 60) return both(`${minutes} min`, `${Math.floor(seconds % 60)} s`);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return both(`${hours} h`, `${minutes % 60} min`);
  return both(`${Math.floor(hours / 24)} d`, `${hours % 24} h`);
}

/** An age in whole units, which moves calmly. */
export function ago(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 60 ? `${seconds} s ago` : `${span(seconds * 1000)} ago`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** A point in time: the clock today, the date before. */
export function time(ms) {
  if (ms === undefined || ms === null) return "–";
  const when = new Date(ms);
  return when.toDateString() === new Date().toDateString() ? clock.format(when) : day.format(when);
}

export function fullTime(ms) {
  return ms === undefined || ms === null ? "–" : new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
}

export function bytes(value) {
  if (value === undefined || value === null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  const scaled = value / 1024 ** step;
  return `${step === 0 ? scaled : scaled.toFixed(scaled < 10 ? 1 : 0)} ${units[step]}`;
}

/** Names of metrics as the field writes them: `ndcg@10` is NDCG@10. */
export function metricName(name) {
  return name.replace(/^(ndcg|hr|mrr)/, (head) => head.toUpperCase()).replace(/^[a-z]/, (head) => head.toUpperCase());
}

/** `live` among the candidates is the live version's recipe, fitted anew on the same data. */
export function modelName(name) {
  return name === "live" ? "live recipe, refitted" : name;
}

export function settingValue(value) {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
