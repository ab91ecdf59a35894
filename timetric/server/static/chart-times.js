// Times on a chart: in UTC, whatever the browser's zone is. A time is in Unix seconds, as in the API.
"use strict";

const ChartTimes = (() => {
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  const YEAR = 365.2425 * DAY;
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

  // Steps between the marks of an axis: of seconds, and then of months.
  const ELAPSED = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
    ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
    ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
    ...[1, 2, 4, 8].map((count) => count * DAY),
  ];
  const CALENDAR = [1, 2, 3, 6, ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].map((y) => y * 12)];

  // Parts of a time; the milliseconds are rounded, as floats are a little off.
  function parts(t) {
    const at = new Date(Math.round(t * 1000));
    const [day, clock] = at.toISOString().split("T");
    return { at, year: at.getUTCFullYear(), month: at.getUTCMonth(), day, clock };
  }

  // As the API writes times: 2009-03-11T01:30:00, with milliseconds where there are any.
  function written(t) {
    const { day, clock } = parts(t);
    return `${day}T${clock.replace(/(\.000)?Z$/, "")}`;
  }

  // As people read them, as exactly as matters in a range of so many seconds.
  function shown(t, length) {
    const text = written(t).replace("T", " ");
    const places = length >= 400 * DAY ? 10 : length >= 10 * MINUTE ? 16 : length >= 10 ? 19 : 23;
    return text.slice(0, places);
  }

  // A point's own time, without seconds where there are none.
  const exact = (t) => written(t).replace("T", " ").replace(/^(.{16}):00$/, "$1");

  const between = ({ start, end }) => `${shown(start, end - start)} to ${shown(end, end - start)} UTC`;

  // What stands in an address, as the API reads times; null where it is none.
  function read(text) {
    if (!text) return null;
    if (/^[-+]?\d+(\.\d*)?$/.test(text)) return Number(text);
    const zoned = /([zZ]|[-+]\d\d:?\d\d)$/.test(text.slice(10));
    const milliseconds = Date.parse(text.replace(" ", "T") + (zoned || text.length <= 10 ? "" : "Z"));
    return Number.isNaN(milliseconds) ? null : milliseconds / 1000;
  }

  function monthStart(number) {
    const at = new Date(0);
    at.setUTCFullYear(Math.floor(number / 12), ((number % 12) + 12) % 12, 1);
    return at.getTime() / 1000;
  }

  // The times of at most about so many marks, and the step between them in seconds.
  function marks(start, end, most) {
    const least = (end - start) / Math.max(1, most);
    const step = ELAPSED.find((seconds) => seconds >= least);
    return step ? elapsedMarks(start, end, step) : calendarMarks(start, end, least);
  }

  function elapsedMarks(start, end, step) {
    const first = Math.ceil(start / step);
    const count = Math.floor(end / step) - first + 1;
    const times = Array.from({ length: Math.max(0, count) }, (_, n) => Number(((first + n) * step).toFixed(3)));
    return { times, step };
  }

  function calendarMarks(start, end, least) {
    const months = CALENDAR.find((count) => count * (YEAR / 12) >= least) ?? CALENDAR.at(-1);
    const { year, month } = parts(start);
    const times = [];
    for (let n = Math.floor((year * 12 + month) / months) * months; monthStart(n) <= end; n += months) {
      if (monthStart(n) >= start) times.push(monthStart(n));
    }
    return { times, step: months * (YEAR / 12) };
  }

  // What the marks say. The first one, and those at which it changes, say in a second line what it
  // belongs to: the day of a clock's time, the year of a day.
  function labels(times, step) {
    let before = null;
    return times.map((t) => {
      const { at, year, month, day, clock } = parts(t);
      const named = `${MONTHS[month]} ${at.getUTCDate()}`;
      if (step >= YEAR * 0.9) return String(year);
      const [text, within] = step >= DAY * 28 ? [MONTHS[month], `${year}`]
        : step >= DAY ? [named, `${year}`]
        : [clockText(clock, step), `${named}, ${year}`];
      const told = within === before ? text : `${text}\n${within}`;
      before = within;
      return told;
    });
  }

  function clockText(clock, step) {
    if (step >= MINUTE) return clock.slice(0, 5);
    return step >= 1 ? clock.slice(0, 8) : clock.slice(3, -1);
  }

  return { DAY, YEAR, written, shown, exact, between, read, marks, labels };
})();
