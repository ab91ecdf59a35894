// The drawing: lines of several series over one axis of time, by uPlot.
"use strict";

const ChartPlot = (() => {
  const PARTS = ["maximum", "minimum", "mean"]; // each line is drawn by three, the mean above the others
  const SHADE = "40"; // the opacity of the band from the least to the greatest number, as in #rrggbb40
  const NARROW = 600; // pixels below which there is room for one axis of values
  const FONT = "12px system-ui, -apple-system, Segoe UI, Roboto, sans-serif";

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (line) => style(`--line-${line + 1}`);

  // The columns that uPlot draws, over the times of all lines. Where a line has no point at the
  // time of another's it goes on; at a null it is broken.
  function columns(lines) {
    const tables = lines.map(({ table, factor }) => [
      table.t,
      ...PARTS.map((part) => (factor === 1 ? table[part] : table[part].map((v) => v === null ? null : v * factor))),
    ]);
    return tables.length === 1 ? tables[0] : uPlot.join(tables);
  }

  const scaleOf = (line, rebased) => (rebased ? "y" : `y${line}`);

  function series(lines, rebased) {
    const drawn = lines.flatMap((_, line) => PARTS.map((part) => ({
      scale: scaleOf(line, rebased),
      stroke: part === "mean" ? () => colour(line) : () => colour(line) + SHADE,
      width: part === "mean" ? 1.75 : 1,
      points: { show: part === "mean" ? undefined : false, size: 5, filter: alone, fill: () => colour(line) },
    })));
    return [{}, ...drawn];
  }

  function bands(lines) {
    return lines.map((_, line) => ({
      series: [1 + PARTS.length * line, 2 + PARTS.length * line],
      fill: () => colour(line) + SHADE,
    }));
  }

  // Points with nothing on either side are no line; they are drawn as dots where not all are.
  function alone(plot, column, all) {
    if (all) return null;
    const values = plot.data[column];
    const found = [];
    let before = null, held = -1, broken = true;
    for (let row = 0; row < values.length; row++) {
      if (values[row] === undefined) continue;
      if (values[row] === null) {
        if (held >= 0 && before) found.push(held);
        held = -1;
        broken = true;
      } else {
        before = broken;
        held = broken ? row : -1;
        broken = false;
      }
    }
    if (held >= 0) found.push(held);
    return found.length ? found : null;
  }

  function axes(lines, rebased, isNarrow) {
    const values = (rebased || isNarrow ? lines.slice(0, 1) : lines).map((_, line) => ({
      scale: scaleOf(line, rebased),
      side: line ? 1 : 3,
      stroke: () => (lines.length > 1 && !rebased ? colour(line) : style("--quiet")),
      grid: { show: line === 0, stroke: () => style("--line"), width: 1 },
      ticks: { show: false },
      values: (plot, marks, axis, space, step) => marks.map((v) => ChartData.mark(v, step)),
      size: roomFor,
      gap: 6,
      space: 44,
      font: FONT,
    }));
    return [timeAxis(), ...values];
  }

  function timeAxis() {
    let step = 1;
    const splits = (plot, axis, start, end) => {
      const found = ChartTimes.marks(start, end, plot.width / 85);
      step = found.step;
      return found.times;
    };
    return {
      stroke: () => style("--quiet"),
      grid: { stroke: () => style("--line"), width: 1 },
      ticks: { stroke: () => style("--line"), width: 1, size: 5 },
      splits,
      values: (plot, times) => ChartTimes.labels(times, step),
      size: 46,
      font: FONT,
    };
  }

  // The width that an axis of values needs for what its marks say.
  function roomFor(plot, marks) {
    if (!marks?.length) return 40;
    plot.ctx.font = FONT.replace("12px", `${12 * devicePixelRatio}px`);
    const widest = Math.max(...marks.map((mark) => plot.ctx.measureText(mark).width));
    return Math.ceil(widest / devicePixelRatio) + 14;
  }

  function valueScales(lines, rebased) {
    const range = (plot, low, high) => (low === null ? [0, 1] : uPlot.rangeNum(low, high, 0.08, false));
    return Object.fromEntries(lines.map((_, line) => [scaleOf(line, rebased), { range }]));
  }

  // A plot in an element. Calls ``select`` with the range that was dragged over, ``leave`` after a
  // double click, ``point`` with the time under the pointer or null.
  function made(element, lines, { range, rebased, select, leave, point }) {
    const width = element.clientWidth;
    const plot = new uPlot({
      width,
      height: element.clientHeight,
      legend: { show: false },
      scales: { x: { time: false, auto: false, min: range.start, max: range.end, range: (plot, low, high) => [low, high] }, ...valueScales(lines, rebased) },
      series: series(lines, rebased),
      bands: bands(lines),
      axes: axes(lines, rebased, width < NARROW),
      padding: [10, null, 0, null],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false, dist: 6 },
        points: { size: (plot, column) => (column % PARTS.length ? 0 : 8), width: 0 },
        bind: { dblclick: () => () => { leave(); return null; } },
      },
      hooks: {
        setSelect: [(plot) => selected(plot, select)],
        setCursor: [(plot) => point(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null)],
      },
    }, columns(lines), element);
    return plot;
  }

  function selected(plot, select) {
    const { left, width } = plot.select;
    if (width <= 0) return;
    const range = { start: plot.posToVal(left, "x"), end: plot.posToVal(left + width, "x") };
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    select(range);
  }

  return { made, columns, NARROW };
})();
