// Which range of time a chart shows. A range is {start, end}, with start <= t < end; null is all.
"use strict";

const ChartRange = (() => {
  const { DAY, YEAR } = ChartTimes;
  const NARROWEST = 0.01; // seconds

  const PRESETS = { day: DAY, week: 7 * DAY, month: 30 * DAY, year: Math.round(YEAR / DAY) * DAY };

  // The whole of an extent [first, latest] as a range; a single instant gets room around it.
  function whole([first, latest]) {
    if (latest === first) return { start: first - DAY / 2, end: latest + DAY / 2 };
    return { start: first, end: latest + Math.max(1e-3, (latest - first) / 1e9) }; // the latest lies before it
  }

  // The last stretch of that name before the latest point, and this point.
  function preset(name, extent) {
    if (name === "all") return null;
    const end = Math.floor(extent[1]) + 1; // the latest lies before the end
    return { start: end - PRESETS[name], end };
  }

  function isSame(one, other) {
    if (!one || !other) return one === other;
    const near = (other.end - other.start) / 1e6;
    return Math.abs(one.start - other.start) <= near && Math.abs(one.end - other.end) <= near;
  }

  // The range moved by a part of its length, as far as there are points to see.
  function panned({ start, end }, part, extent) {
    const { start: low, end: high } = whole(extent);
    const length = end - start;
    const kept = length / 20; // so much of what there is stays in sight
    const moved = Math.min(Math.max(start + part * length, low - length + kept), high - kept);
    return { start: moved, end: moved + length };
  }

  // The range made longer (factor above 1) or shorter around a time; all where it holds all.
  function zoomed({ start, end }, factor, around, extent) {
    return fitted({ start: around - (around - start) * factor, end: around + (end - around) * factor }, extent);
  }

  function fitted({ start, end }, extent) {
    const { start: low, end: high } = whole(extent);
    if (end - start < NARROWEST) {
      const middle = (start + end) / 2;
      return { start: middle - NARROWEST / 2, end: middle + NARROWEST / 2 };
    }
    return start <= low && end >= high ? null : { start, end };
  }

  // The ends to whole seconds where that can't be seen, for an address that people can read.
  function rounded(range) {
    if (!range || range.end - range.start < 1000) return range;
    return { start: Math.floor(range.start), end: Math.ceil(range.end) };
  }

  // What the page's address says: the range, the series beside this one, and how they are compared.
  function fromAddress() {
    const query = new URLSearchParams(location.search);
    const start = ChartTimes.read(query.get("start"));
    const end = ChartTimes.read(query.get("end"));
    const compared = (query.get("compare") ?? "").split(",").filter((id) => /^[\w-]{22}$/.test(id));
    return {
      range: start !== null && end !== null && start < end ? { start, end } : null,
      compared: [...new Set(compared)],
      rebased: query.get("rebase") === "100",
    };
  }

  function toAddress({ range, compared, rebased }) {
    const query = new URLSearchParams(location.search);
    const put = (name, text) => (text ? query.set(name, text) : query.delete(name));
    put("start", range && ChartTimes.written(range.start));
    put("end", range && ChartTimes.written(range.end));
    put("compare", compared.join(","));
    put("rebase", rebased && compared.length ? "100" : "");
    const text = query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
    history.replaceState(null, "", `${location.pathname}${text ? `?${text}` : ""}${location.hash}`);
  }

  return { whole, preset, isSame, panned, zoomed, fitted, rounded, fromAddress, toAddress };
})();
