// Sends forms with data-upload, tells how far that has come, and keeps the chosen file when the form comes back.
"use strict";

const PAGE = { Accept: "text/html,application/xhtml+xml" };

function sized(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return (unit ? bytes.toPrecision(3) : bytes) + " " + units[unit];
}

class Sending {
  constructor(form, submitter) {
    this.form = form;
    this.request = new XMLHttpRequest();
    this.buttons = [...form.elements].filter((control) => control.localName === "button");
    this.panel = document.createElement("div");
    this.panel.className = "sending";
    this.bar = document.createElement("progress");
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", "Sent");
    this.told = document.createElement("p");
    this.said = document.createElement("p"); // what a screen reader says; each percent would be too much
    this.said.className = "unseen";
    this.said.setAttribute("role", "status");
    this.stop = document.createElement("button");
    this.stop.type = "button";
    this.stop.textContent = "Stop";
    this.stop.addEventListener("click", () => this.request.abort());
    this.panel.append(this.bar, this.told, this.said, this.stop);
    this.data = new FormData(form, submitter);
  }

  send() {
    const { request, form } = this;
    request.upload.addEventListener("progress", (event) => this.tell(event));
    request.upload.addEventListener("load", () => {
      this.bar.removeAttribute("value");
      this.told.textContent = "";
      this.said.className = "";
      this.said.textContent = "All is sent; it is being read";
    });
    request.addEventListener("load", () => this.answered());
    request.addEventListener("error", () => {
      this.fail("The connection broke off. Send it again: what has arrived already is not stored twice.");
    });
    request.addEventListener("abort", () => this.end());
    request.open("POST", form.action);
    for (const [name, value] of Object.entries(PAGE)) request.setRequestHeader(name, value);
    for (const button of this.buttons) button.disabled = true;
    form.append(this.panel);
    this.stop.focus();
    this.said.textContent = "Sending";
    request.send(this.data);
  }

  tell(event) {
    if (!event.lengthComputable) return;
    this.bar.value = event.loaded / event.total;
    const percent = Math.floor(100 * this.bar.value);
    this.told.textContent = `${percent} % of ${sized(event.total)} sent`;
  }

  answered() {
    const { request } = this;
    const kind = request.getResponseHeader("Content-Type") || "";
    if (request.status < 300 && request.responseURL !== this.form.action) {
      location.assign(request.responseURL);
    } else {
      const page = kind.startsWith("text/html") && new DOMParser().parseFromString(request.responseText, "text/html");
      page && page.querySelector("form[data-upload]") ? this.show(page) : this.fail(detail(request, page));
    }
  }

  // The page that the service answers with takes the place of this one; the file stays chosen, unless its
  // lines stand in the form now.
  show(page) {
    const [chosen, empty] = [document, page].map((where) => where.querySelector("input[type=file]"));
    const pasted = page.querySelector("#pasted");
    if (chosen && empty && chosen.files.length && !(pasted && pasted.value.trim())) {
      for (const name of ["aria-invalid", "aria-describedby"]) {
        const value = empty.getAttribute(name);
        value === null ? chosen.removeAttribute(name) : chosen.setAttribute(name, value);
      }
      empty.replaceWith(chosen);
      page.querySelector(".unkept")?.remove();
    }
    document.title = page.title;
    const main = document.querySelector("main");
    main.replaceChildren(...page.querySelector("main").childNodes);
    watch();
    const place = main.querySelector(".error, .preview") || main;
    place.tabIndex = -1;
    place.focus();
    place.scrollIntoView();
  }

  fail(text) {
    this.end();
    const box = document.createElement("div");
    const line = document.createElement("p");
    box.className = "error";
    box.setAttribute("role", "alert");
    line.textContent = text;
    box.append(line);
    this.form.before(box);
    box.scrollIntoView();
  }

  end() {
    this.panel.remove();
    for (const button of this.buttons) button.disabled = false;
    this.buttons[0].focus();
  }
}

function detail(request, page) {
  if (page) return page.querySelector("main p")?.textContent ?? page.title;
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return `The service answered ${request.status}. Try again.`;
  }
}

function tooLarge(form) {
  const field = form.querySelector("input[type=file]");
  const [file] = field?.files ?? [];
  const most = Number(field?.dataset.most);
  if (!file || !most || file.size <= most) return "";
  return `${file.name} has ${sized(file.size)}, and ${sized(most)} are taken; cut it into parts.`;
}

function submitted(event) {
  event.preventDefault();
  const form = event.currentTarget;
  document.querySelectorAll("main > .error").forEach((box) => box.remove());
  const sending = new Sending(form, event.submitter);
  const fault = tooLarge(form);
  fault ? sending.fail(fault) : sending.send();
}

function watch() {
  for (const form of document.querySelectorAll("form[data-upload]")) {
    form.addEventListener("submit", submitted);
  }
}

watch();
