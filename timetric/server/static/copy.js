// Gives each element with data-copy a button that copies its text.
"use strict";

if (navigator.clipboard) {
  for (const source of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    const told = document.createElement("span");
    button.type = "button";
    button.className = "copy";
    const what = "Copy " + source.dataset.copy;
    button.textContent = source.closest(".sample") ? "Copy" : what;
    button.setAttribute("aria-label", what);
    told.className = "told";
    told.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        told.textContent = "Copied";
      } catch {
        told.textContent = "The browser refused; select the text and copy it by hand";
      }
      setTimeout(() => { told.textContent = ""; }, 4000);
    });
    const line = document.createElement("div");
    line.className = "copying";
    line.append(button, told);
    source.parentElement.localName === "pre" ? source.parentElement.after(line) : source.after(line);
  }
}
