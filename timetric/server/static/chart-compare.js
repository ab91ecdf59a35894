// Choosing series to compare with: a search whose results are buttons.
"use strict";

const ChartCompare = (() => {
  const PAUSE = 200; // milliseconds without a key until the service is asked
  const MOST = 8; // series that are offered

  // Offers series as words are typed. ``isShown`` tells of an ID, ``choose`` gets a series.
  function watch({ form, found, told, root, isShown, choose }) {
    let timer = null, asked = null;

    async function search() {
      const words = form.elements.words.value.trim();
      asked?.abort();
      found.replaceChildren();
      told.textContent = "";
      if (!words) return;
      asked = new AbortController();
      try {
        const query = new URLSearchParams({ q: words, n: MOST });
        const { results } = await ChartData.json(`${root}search/results.thick.json?${query}`, asked.signal);
        offer(results.filter((each) => !isShown(each.name)));
      } catch (error) {
        if (error.name === "AbortError") return; // more was typed
        told.textContent = `The search failed: ${error.message}`;
      }
    }

    function offer(results) {
      told.textContent = results.length ? `${results.length} found` : "Nothing else was found";
      found.replaceChildren(...results.map(option));
    }

    function option(series) {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const about = document.createElement("small");
      button.type = "button";
      about.textContent = [series.unit, `by ${series.owner}`].filter(Boolean).join(", ");
      button.append(series.title, " ", about);
      button.addEventListener("click", () => {
        clear();
        choose(series);
      });
      item.append(button);
      return item;
    }

    function clear() {
      clearTimeout(timer);
      asked?.abort();
      form.reset();
      found.replaceChildren();
      told.textContent = "";
      form.elements.words.focus();
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      search();
    });
    form.elements.words.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, PAUSE);
    });
  }

  return { watch };
})();
