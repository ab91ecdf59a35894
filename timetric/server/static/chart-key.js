// The key above a chart: which line is which series, and what it is under the pointer.
"use strict";

const ChartKey = (() => {
  // A line of the key for each series; ``remove`` is called with the ID of one to be taken away.
  function fill(element, lines, base, remove) {
    element.replaceChildren(...lines.map((line, place) => entry(line, place, base, remove)));
  }

  function entry(line, place, base, remove) {
    const item = document.createElement("li");
    const swatch = made("span", `swatch line-${place + 1}`);
    const title = place ? made("a", "title") : made("span", "title");
    title.textContent = line.title;
    if (place) title.href = `${base}${line.id}/`;
    item.append(swatch, title);
    if (place) item.append(remover(line, remove));
    item.append(made("span", "value"));
    return item;
  }

  function remover(line, remove) {
    const button = made("button", "remove");
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", `Remove ${line.title}`);
    button.addEventListener("click", () => remove(line.id));
    return button;
  }

  function made(tag, name) {
    const element = document.createElement(tag);
    element.className = name;
    return element;
  }

  // What the lines are at a time, or where there is no pointer, at the end of the range.
  function show(element, lines, range, t) {
    lines.forEach((line, place) => {
      const row = t === null ? lastRow(line, range) : nearRow(line, t);
      element.children[place].querySelector(".value").textContent = row === null ? "" : told(line, row, range);
    });
  }

  function lastRow({ table }, range) {
    return ChartData.summary(table, ChartData.within(table, range))?.last ?? null;
  }

  function nearRow({ table }, t) {
    return table.size ? ChartData.nearest(table, t) : null;
  }

  function told({ table, unit, factor }, row, range) {
    const isOne = table.numbers[row] === 1;
    const time = table.first[row];
    if (!table.numbers[row]) return `no value at ${ChartTimes.exact(time)}`;
    const mean = isOne ? table.mean[row] : ChartData.about(table.mean[row]);
    const value = ChartData.withUnit(ChartData.number(mean), unit);
    const rebased = factor === 1 ? "" : ` (${ChartData.number(ChartData.about(table.mean[row] * factor))})`;
    if (isOne) return `${value}${rebased} at ${ChartTimes.exact(time)}`;
    const [low, high] = [table.minimum[row], table.maximum[row]].map(ChartData.number);
    return `mean ${value}${rebased}, ${low} to ${high}, from ${ChartTimes.shown(time, (range.end - range.start) / 1000)}`;
  }

  return { fill, show };
})();
