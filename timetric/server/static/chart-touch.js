// What fingers and the wheel do on a plot: one finger moves the chart, two zoom it, and so does the
// wheel with Ctrl, which is also what pinching on a touchpad sends.
"use strict";

const ChartTouch = (() => {
  const PAUSE = 150; // milliseconds without a movement after which finer data are asked for

  // ``move`` shows a range at once, ``settle`` is told when it will stay.
  function watch(plot, { range, limit, move, settle }) {
    const fingers = new Map();
    let begun = null, timer = null;

    const place = (event) => event.clientX - plot.over.getBoundingClientRect().left;
    const places = () => [...fingers.values()];
    const begin = () => { begun = { range: range(), at: places() }; };

    function show(next) {
      move(next);
      clearTimeout(timer);
      timer = setTimeout(settle, PAUSE);
    }

    // The range at which what was under the fingers is under them again.
    function followed() {
      const width = plot.over.clientWidth;
      const { start, end } = begun.range;
      const time = (x) => start + (x / width) * (end - start);
      const now = places();
      if (now.length === 1) {
        const moved = time(begun.at[0]) - time(now[0]);
        return { start: start + moved, end: end + moved };
      }
      const apart = Math.max(Math.abs(now[1] - now[0]), 20);
      const length = (end - start) * Math.max(Math.abs(begun.at[1] - begun.at[0]), 20) / apart;
      const first = time((begun.at[0] + begun.at[1]) / 2) - ((now[0] + now[1]) / 2 / width) * length;
      return { start: first, end: first + length };
    }

    plot.over.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch" || fingers.size === 2) return;
      fingers.set(event.pointerId, place(event));
      begin();
    });
    plot.over.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, place(event));
      show(limit(followed()));
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
      plot.over.addEventListener(name, (event) => {
        if (fingers.delete(event.pointerId)) begin();
      });
    }
    plot.over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page is scrolled
      event.preventDefault();
      const { start, end } = range();
      const around = start + (place(event) / plot.over.clientWidth) * (end - start);
      const factor = Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 100);
      show(limit({ start: around - (around - start) * factor, end: around + (end - around) * factor }));
    }, { passive: false });
  }

  return { watch };
})();
