// The chart of a series' page: what it shows, and how one moves in it.
"use strict";

class Chart {
  constructor(figure) {
    const { series, title, unit, base, root } = figure.dataset;
    const part = (name) => figure.querySelector(`.${name}`);
    this.figure = figure;
    this.base = base;
    this.plane = part("plane");
    this.key = part("lines");
    this.told = part("told-shown");
    this.failed = part("failed");
    this.details = part("in-numbers");
    this.modes = part("modes");
    this.own = { id: series, title, unit };
    this.compared = []; // the other series, as {id, title, unit}
    this.lines = []; // what is drawn: a series with its table, and what its values are multiplied by
    this.past = []; // the ranges before this one
    this.extent = null;
    this.plot = null;
    this.asked = null;
    const { range, compared, rebased } = ChartRange.fromAddress();
    this.range = range;
    this.rebased = rebased;
    this.wanted = compared;
    this.isOneLost = false; // whether a series that the address names can't be shown
    this.listen(part, root);
  }

  listen(part, root) {
    for (const name of ["tools", "compare"]) part(name).hidden = false;
    this.details.hidden = false;
    part("tools").addEventListener("click", ({ target }) => this.press(target.closest("button")));
    this.plane.addEventListener("keydown", (event) => this.type(event));
    this.details.addEventListener("toggle", () => this.tabulate());
    this.modes.addEventListener("change", ({ target }) => this.compareBy(target.value === "100"));
    part("again").addEventListener("click", () => this.load());
    ChartCompare.watch({
      form: part("compare"), found: part("found-series"), told: part("told-found"), root,
      isShown: (id) => this.all.some((series) => series.id === id),
      choose: ({ name, title, unit }) => this.add({ id: name, title, unit: unit ?? "" }),
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot?.redraw(false));
    new ResizeObserver(() => this.resize()).observe(this.plane);
  }

  get all() {
    return [this.own, ...this.compared];
  }

  // The range that is shown, in times.
  get shown() {
    return this.range ?? ChartRange.whole(this.extent);
  }

  async start() {
    await this.load();
    if (!this.wanted.length) return;
    const known = await Promise.all(this.wanted.slice(0, Chart.MOST).map((id) => this.known(id)));
    this.compared = known.filter(Boolean);
    this.isOneLost = this.compared.length < this.wanted.length;
    await this.load();
  }

  // What a series says of itself; null where this browser may not read it.
  async known(id) {
    try {
      const { title, unit } = await ChartData.json(`${this.base}${id}/metadata/`);
      return { id, title, unit: unit ?? "" };
    } catch (error) {
      if (!(error instanceof ChartData.Refusal)) throw error;
      return null;
    }
  }

  // Ask for what the range holds, and draw it.
  async load() {
    this.asked?.abort();
    const asked = this.asked = new AbortController();
    try {
      const tables = await Promise.all(this.all.map((series) => this.read(series, asked.signal)));
      if (asked.signal.aborted) return;
      this.failed.hidden = true;
      this.take(tables);
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error);
    }
  }

  // All means all of the page's own series, whatever the others have.
  read({ id }, signal) {
    const range = id !== this.own.id && this.extent ? this.shown : this.range;
    return ChartData.stretches(this.base, id, range, this.plane.clientWidth, signal);
  }

  fail(error) {
    this.failed.hidden = false;
    this.failed.querySelector("span").textContent = `The chart could not be read: ${error.message}`;
  }

  take(tables) {
    this.extent = tables[0].extent;
    if (!this.extent) {
      this.say("There is nothing to draw yet.");
      this.figure.classList.add("is-empty");
      return;
    }
    const range = this.shown;
    const factors = tables.map((table) => (this.isRebased ? ChartData.rebasing(table, range) : 1));
    this.lines = this.all.map((series, place) => ({ ...series, table: tables[place], factor: factors[place] ?? NaN }));
    this.draw();
    this.tell(factors);
  }

  get isRebased() {
    return this.rebased && this.compared.length > 0;
  }

  // A plot of the same lines takes other points; one of others is made anew.
  draw() {
    const range = this.shown;
    const kind = JSON.stringify([this.all.map(({ id }) => id), this.isRebased, this.isNarrow]);
    if (this.plot && this.kind === kind) {
      this.plot.batch(() => {
        this.plot.setData(ChartPlot.columns(this.lines), false);
        this.plot.setScale("x", { min: range.start, max: range.end });
      });
    } else {
      this.make(range);
      this.kind = kind;
    }
    ChartKey.fill(this.key, this.lines, this.base, (id) => this.remove(id));
    this.point(null);
    // What is drawn by now: tests and measures wait for it.
    const way = this.isRebased ? "rebased" : "own";
    this.figure.dataset.drawn = `${range.start} ${range.end} ${this.all.length} ${way}`;
  }

  make(range) {
    this.plot?.destroy();
    this.plot = ChartPlot.made(this.plane, this.lines, {
      range,
      rebased: this.isRebased,
      select: (found) => this.go(ChartRange.fitted(found, this.extent)),
      leave: () => this.leave(),
      point: (t) => this.point(t),
    });
    ChartTouch.watch(this.plot, {
      range: () => this.shown,
      limit: (found) => ChartRange.panned(found, 0, this.extent),
      move: (found) => this.move(found),
      settle: () => this.go(ChartRange.fitted(this.range, this.extent), false),
    });
  }

  get isNarrow() {
    return this.plane.clientWidth < ChartPlot.NARROW;
  }

  point(t) {
    if (this.lines.length && this.extent) ChartKey.show(this.key, this.lines, this.shown, t);
  }

  tell(factors) {
    const range = this.shown;
    const flat = this.all.filter((_, place) => factors[place] === null).map(({ title }) => title);
    this.say([
      ChartTable.sentences(this.lines, range),
      flat.length ? `${flat.join(" and ")} can't be rebased: nothing, or 0, is shown first.` : "",
      this.isOneLost ? "A series to compare with is not there, or not yours to see." : "",
    ].filter(Boolean).join(" "));
    this.modes.hidden = !this.compared.length;
    for (const input of this.modes.querySelectorAll("input")) input.checked = (input.value === "100") === this.rebased;
    for (const button of this.figure.querySelectorAll("[data-preset]")) {
      const named = ChartRange.preset(button.dataset.preset, this.extent);
      button.setAttribute("aria-pressed", String(ChartRange.isSame(named, this.range)));
    }
    this.tabulate();
  }

  tabulate() {
    if (this.details.open && this.lines.length) {
      ChartTable.fill(this.details.querySelector("table"), this.lines, this.shown);
    }
  }

  say(text) {
    this.told.textContent = text;
  }

  // moving in time

  // Show a range: at once what is known of it, and then what the service has.
  go(range, isStep = true) {
    if (isStep && !ChartRange.isSame(range, this.range)) this.past.push(this.range);
    this.range = ChartRange.rounded(range);
    this.move(this.range);
    this.remember();
    return this.load();
  }

  // Show what is known of a range.
  move(range) {
    this.range = range;
    const { start, end } = this.shown;
    this.plot?.setScale("x", { min: start, max: end });
  }

  // Back to the range before, or to all.
  leave() {
    this.go(this.past.pop() ?? null, false);
  }

  zoom(factor) {
    const { start, end } = this.shown;
    this.go(ChartRange.zoomed(this.shown, factor, (start + end) / 2, this.extent));
  }

  pan(part) {
    if (this.range) this.go(ChartRange.panned(this.range, part, this.extent), false);
  }

  press(button) {
    if (!button || !this.extent) return;
    const { preset, step } = button.dataset;
    if (preset) this.go(ChartRange.preset(preset, this.extent));
    if (step) this.step(step);
  }

  step(name) {
    const steps = {
      earlier: () => this.pan(-0.25), later: () => this.pan(0.25),
      "much-earlier": () => this.pan(-1), "much-later": () => this.pan(1),
      in: () => this.zoom(0.5), out: () => this.zoom(2),
      all: () => this.go(null), back: () => this.leave(),
    };
    steps[name]();
  }

  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.extent) return;
    const name = Chart.KEYS[(event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + event.key];
    if (!name) return;
    event.preventDefault();
    this.step(name);
  }

  resize() {
    if (!this.plot || this.plane.clientWidth === this.plot.width) return;
    this.plot.setSize({ width: this.plane.clientWidth, height: this.plane.clientHeight });
    this.load();
  }

  remember() {
    const compared = this.compared.map(({ id }) => id);
    ChartRange.toAddress({ range: this.range, compared, rebased: this.rebased });
  }

  // comparing

  add(series) {
    if (this.compared.length === Chart.MOST) {
      this.say(`At most ${Chart.MOST} series are compared with this one; remove one first.`);
      return;
    }
    this.compare([...this.compared, series]);
  }

  remove(id) {
    this.compare(this.compared.filter((series) => series.id !== id));
    this.figure.querySelector("[name=words]").focus();
  }

  compare(series) {
    this.compared = series;
    this.isOneLost = false;
    this.remember();
    this.load();
  }

  compareBy(rebased) {
    this.rebased = rebased;
    this.remember();
    this.load();
  }
}

Chart.MOST = 4; // series beside the page's own: so many colours can be told apart
Chart.KEYS = {
  ArrowLeft: "earlier", ArrowRight: "later", "Shift+ArrowLeft": "much-earlier", "Shift+ArrowRight": "much-later",
  "+": "in", "=": "in", "-": "out", _: "out", Home: "all", 0: "all", Escape: "back",
};

// All charts of the page.
const charts = [...document.querySelectorAll("figure.chart")].map((figure) => new Chart(figure));
for (const chart of charts) chart.start();
