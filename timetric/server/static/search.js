// Shows what a search finds while it is typed: a combobox with a list of links, as the WAI-ARIA
// practices have it. Without it the form leads to the page of the search.
"use strict";

const PAUSE = 150; // milliseconds without a key until the service is asked
const LEAST = 2; // characters that the beginning of a word has
const MOST = 7; // series that are shown

class Suggestions {
  constructor(form) {
    this.form = form;
    this.input = form.elements.q;
    this.options = [];
    this.active = -1;
    this.popup = made("div", "found");
    this.list = made("div");
    this.note = made("p", "note");
    this.told = made("p", "unseen");
    this.list.id = "q-list";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Series that are found");
    this.told.setAttribute("role", "status");
    this.popup.append(this.list, this.note);
    this.popup.hidden = true;
    form.append(this.popup, this.told);
    const attributes = {
      type: "text", inputmode: "search", enterkeyhint: "search", role: "combobox",
      "aria-autocomplete": "list", "aria-controls": "q-list", "aria-expanded": "false",
    };
    for (const [name, text] of Object.entries(attributes)) this.input.setAttribute(name, text);
    this.input.addEventListener("input", () => this.wait());
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("blur", () => this.close());
    window.addEventListener("pagehide", () => this.close()); // so that nothing old is there on coming back
    this.popup.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus
  }

  get words() {
    return this.input.value.trim();
  }

  wait() {
    this.stop();
    if ([...this.words].length < LEAST) this.close();
    else this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  stop() {
    clearTimeout(this.timer);
    this.asked?.abort();
  }

  async ask() {
    this.stop();
    const asked = (this.asked = new AbortController());
    const query = new URLSearchParams({ q: this.words, n: MOST });
    try {
      const address = new URL(`results.thick.json?${query}`, this.form.action);
      const reply = await fetch(address, { signal: asked.signal });
      const answer = await reply.json();
      if (reply.ok) this.show(answer);
      else this.tell(answer.detail);
    } catch { // no answer, or one that is cut short or not the service's
      if (!asked.signal.aborted) this.tell("The search does not answer. Press Enter to try it.");
    }
  }

  show({ results, total }) {
    this.options = results.map((series) => this.option(series));
    if (total > results.length) this.options.push(this.all(total));
    this.open(total ? "" : "No series has these words.");
    this.told.textContent = total === 1 ? "1 series found" : `${total || "No"} series found`;
  }

  tell(problem) {
    this.options = [];
    this.open(problem);
    this.told.textContent = problem;
  }

  open(note) {
    this.options.forEach((option, at) => { option.id = `q-${at}`; });
    this.list.replaceChildren(...this.options);
    this.list.hidden = !this.options.length;
    this.note.textContent = note;
    this.note.hidden = !note;
    this.popup.hidden = false;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.choose(-1);
  }

  close() {
    this.stop();
    this.popup.hidden = true;
    this.told.textContent = "";
    this.input.setAttribute("aria-expanded", "false");
    this.choose(-1);
  }

  option({ name, title, caption, unit, latest, public: isPublic }) {
    const option = link(new URL(`../series/${encodeURIComponent(name)}/`, this.form.action));
    const value = latest.timestamp === null ? "" : `${shown(latest.value)} ${unit ?? ""}`.trim();
    option.append(made("span", "head", title));
    if (!isPublic) option.append(made("span", "mark", "private"));
    option.append(made("span", "caption", caption), made("span", "value", value));
    return option;
  }

  all(total) {
    const query = new URLSearchParams({ q: this.words });
    const option = link(new URL(`?${query}`, this.form.action));
    option.classList.add("all");
    option.textContent = `All ${total} series`;
    return option;
  }

  choose(at) {
    this.active = at;
    this.options.forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === at));
    });
    const option = this.options[at];
    if (!option) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    this.input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  // Past either end nothing is chosen, and the words are searched for as they are.
  move(step) {
    const places = this.options.length + 1;
    this.choose(((this.active + 1 + step + places) % places) - 1);
  }

  press(event) {
    const keys = this.popup.hidden ? KEYS_WHEN_CLOSED : KEYS;
    if (event.isComposing || !(event.key in keys)) return;
    if (event.key === "Enter" && this.active < 0) return; // the form is sent
    event.preventDefault();
    keys[event.key](this);
  }
}

const KEYS = {
  ArrowDown: (box) => box.move(1),
  ArrowUp: (box) => box.move(-1),
  Escape: (box) => box.close(),
  Enter: (box) => box.options[box.active].click(),
};
const KEYS_WHEN_CLOSED = { ArrowDown: (box) => box.wait() };

// Whatever a series says of itself comes in as text, never as HTML.
function made(tag, name = "", text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function shown(value) {
  if (typeof value !== "number") return String(value);
  return value.toLocaleString("en", { maximumSignificantDigits: 6 });
}

function link(address) {
  const option = made("a");
  option.href = address.href;
  option.tabIndex = -1;
  option.setAttribute("role", "option");
  return option;
}

for (const form of document.querySelectorAll("form.search")) new Suggestions(form);
