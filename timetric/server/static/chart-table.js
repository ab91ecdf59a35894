// What is drawn, in words: a sentence, and a table for those who can't see the drawing.
"use strict";

const ChartTable = (() => {
  const MOST = 40; // rows

  // What the lines come to in a range.
  function sentences(lines, range) {
    const told = lines.map((line) => `${lines.length > 1 ? `${line.title}: ` : ""}${figures(line, range)}.`);
    return `${ChartTimes.between(range)}: ${told.join(" ")}`;
  }

  function figures({ unit, table }, range) {
    const found = ChartData.summary(table, ChartData.within(table, range));
    if (!found) return "no numbers";
    const value = (v) => ChartData.withUnit(ChartData.number(v), unit);
    const numbers = found.numbers === 1 ? "1 number" : `${ChartData.count(found.numbers)} numbers`;
    return `${numbers}, least ${value(found.minimum)}, mean ${value(ChartData.about(found.mean))}, `
      + `greatest ${value(found.maximum)}`;
  }

  // Fill a table with what is drawn: point by point where they are few, or else by equal times.
  function fill(element, lines, range) {
    const { head, body } = lines.length === 1 ? ofOne(lines[0], range) : ofSeveral(lines, range);
    element.tHead.replaceChildren(row(head, "th"));
    element.tBodies[0].replaceChildren(...body.map((cells) => row(cells, "td")));
  }

  function row(cells, kind) {
    const line = document.createElement("tr");
    cells.forEach((text, place) => {
      const cell = document.createElement(place ? kind : "th");
      if (kind === "th") cell.scope = "col";
      else if (!place) cell.scope = "row";
      cell.textContent = text;
      line.append(cell);
    });
    return line;
  }

  const headed = (name, unit) => (unit ? `${name} (${unit})` : name);

  function ofOne({ table, unit }, range) {
    const rows = ChartData.within(table, range);
    if (rows.length <= MOST && rows.every((at) => table.numbers[at] <= 1)) {
      const body = rows.map((at) => [ChartTimes.exact(table.first[at]), text(table.mean[at])]);
      return { head: ["Time (UTC)", headed("Value", unit)], body };
    }
    const body = parts(range).map(({ start, end }) => {
      const found = summary(table, { start, end });
      const figures = [found?.minimum, found && ChartData.about(found.mean), found?.maximum].map(text);
      return [ChartTimes.shown(start, end - start), ...figures, ChartData.count(found?.numbers ?? 0)];
    });
    return { head: ["From (UTC)", ...["Least", "Mean", "Greatest"].map((name) => headed(name, unit)), "Points"], body };
  }

  function ofSeveral(lines, range) {
    const body = parts(range).map((part) => [
      ChartTimes.shown(part.start, part.end - part.start),
      ...lines.map(({ table, factor }) => {
        const found = summary(table, part);
        return text(found && ChartData.about(found.mean * factor));
      }),
    ]);
    const name = ({ title, unit, factor }) => headed(`Mean of ${title}`, factor === 1 ? unit : "rebased");
    return { head: ["From (UTC)", ...lines.map(name)], body };
  }

  // What lies in a part of the range; a stretch counts where its middle is.
  function summary(table, { start, end }) {
    const rows = [];
    for (let at = 0; at < table.size; at++) {
      if (table.t[at] >= start && table.t[at] < end) rows.push(at);
    }
    return ChartData.summary(table, rows);
  }

  function parts({ start, end }) {
    const length = (end - start) / MOST;
    return Array.from({ length: MOST }, (_, n) => ({ start: start + n * length, end: start + (n + 1) * length }));
  }

  const text = (value) => (value === null || value === undefined ? "no value" : ChartData.number(value));

  return { sentences, fill };
})();
