// Runs in the head, before anything is drawn: the theme the reader chose, else what the system says.
(() => {
  "use strict";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const KEY = "twinlog-theme";

  function chosen() {
    try {
      return localStorage.getItem(KEY) || "system";
    } catch {
      return "system";
    }
  }

  function choose(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A private window keeps nothing; the choice then lasts for this page.
    }
    paint(theme);
  }

  function paint(theme) {
    root.dataset.bsTheme = theme === "system" ? (system.matches ? "dark" : "light") : theme;
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
    }
    document.dispatchEvent(new Event("twinlog:theme"));
  }

  root.classList.add("has-script");
  paint(chosen());
  system.addEventListener("change", () => paint(chosen()));
  document.addEventListener("DOMContentLoaded", () => paint(chosen()));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme]");
    if (button) choose(button.dataset.theme);
  });
})();
