// What a chart shows, as the service sends it: stretches of time with the least, mean and greatest
// number in each; a null in between breaks the line. See docs/protocol, Charts.
"use strict";

const ChartData = (() => {
  const BEGIN = -62135596800, END = 253402300800; // of the times that the API knows: years 1 to 9999
  const FINEST = 1.5; // pixels a stretch: narrower ones can't be told apart

  // The stretches of a series in a range, for a chart so many pixels wide. Throws a Refusal.
  async function stretches(base, id, range, pixels, signal) {
    const query = new URLSearchParams({ width: Math.min(4000, Math.max(50, Math.round(pixels / FINEST))) });
    if (range) {
      query.set("start", Math.max(range.start, BEGIN));
      query.set("end", Math.min(range.end, END - 1));
    }
    return readable(await json(`${base}${id}/chart.json?${query}`, signal));
  }

  class Refusal extends Error {
    constructor(status, detail) {
      super(detail);
      this.status = status;
    }
  }

  // Whoever is not signed in sends no cookies: a browser would ask them for a name and a password.
  async function json(address, signal) {
    const { credentials } = document.querySelector("figure.chart").dataset;
    const reply = await fetch(address, { signal, credentials, headers: { Accept: "application/json" } });
    if (reply.ok) return reply.json();
    const problem = await reply.json().catch(() => ({})); // whatever stands between may answer HTML
    throw new Refusal(reply.status, problem.detail ?? `The service answered ${reply.status}.`);
  }

  // With the time at which each stretch is drawn: its middle.
  function readable(table) {
    const middle = table.first.map((first, row) => (first + table.final[row]) / 2);
    return { ...table, t: middle, size: middle.length };
  }

  // The rows of a table that lie in a range; those beside it are there for the line only.
  function within(table, range) {
    const rows = [];
    for (let row = 0; row < table.size; row++) {
      if (!range || (table.final[row] >= range.start && table.first[row] < range.end)) rows.push(row);
    }
    return rows;
  }

  // What these rows come to; null where there is no number in them.
  function summary(table, rows) {
    let numbers = 0, total = 0, minimum = Infinity, maximum = -Infinity, last = null;
    for (const row of rows) {
      if (!table.numbers[row]) continue;
      numbers += table.numbers[row];
      total += table.mean[row] * table.numbers[row];
      minimum = Math.min(minimum, table.minimum[row]);
      maximum = Math.max(maximum, table.maximum[row]);
      last = row;
    }
    return numbers ? { numbers, mean: total / numbers, minimum, maximum, last } : null;
  }

  // By what a series is multiplied so that the first number shown becomes 100; null where it can't.
  function rebasing(table, range) {
    const first = within(table, range).find((row) => table.numbers[row]);
    const base = first === undefined ? null : table.mean[first];
    return base ? 100 / base : null;
  }

  // The row that is drawn nearest to a time.
  function nearest(table, t) {
    let low = 0, high = table.size - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (table.t[middle] <= t) low = middle;
      else high = middle;
    }
    return Math.abs(table.t[high] - t) < Math.abs(table.t[low] - t) ? high : low;
  }

  const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  const PLAIN = new Intl.NumberFormat("en", { maximumSignificantDigits: 7 });
  const COUNT = new Intl.NumberFormat("en");

  // A number as people read it: seven digits, and a power of ten where it is far from 1.
  function number(value) {
    const size = Math.abs(value);
    if (size && (size < 1e-4 || size >= 1e12)) return value.toExponential(4).replace("e+", "e");
    return PLAIN.format(value).replace("-", "−");
  }

  // The same at an axis, where there is little room; ``step`` is from mark to mark.
  function mark(value, step) {
    const size = Math.abs(value);
    if (size >= 1e15 || (size && step < 1e-5)) return value.toExponential(2).replace("e+", "e");
    if (size >= 1e5 && step >= 1e3) return COMPACT.format(value).replace("-", "−");
    const digits = Math.min(10, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
    return value.toLocaleString("en", { maximumFractionDigits: digits }).replace("-", "−");
  }

  // A mean, whose further digits say nothing.
  const about = (value) => Number(value.toPrecision(5));

  const count = (whole) => COUNT.format(whole);
  const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);

  return { stretches, json, Refusal, within, summary, rebasing, nearest, number, mark, about, count, withUnit };
})();
