// Everything works without this file. It tells the reader's zone, spares the server what nobody looks at,
// and closes what was opened.
(() => {
  "use strict";
  const HIDDEN_EVERY = 30_000;

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `twinlog_zone=${zone}; path=/; max-age=31536000; samesite=lax`;

  // Live fragments: every 2 s while they are looked at, else twice a minute.
  const lastAsked = new WeakMap();
  document.addEventListener("htmx:before:request", (event) => {
    const fragment = event.target;
    if (!fragment.hasAttribute("data-live")) return;
    const now = Date.now();
    if (document.hidden && now - (lastAsked.get(fragment) ?? 0) < HIDDEN_EVERY) {
      event.preventDefault();
      return;
    }
    lastAsked.set(fragment, now);
  });

  // Signed out meanwhile: the answer would be the sign-in page, so go there.
  document.addEventListener("htmx:before:response", (event) => {
    if (!event.detail.ctx.response.raw.redirected) return;
    event.preventDefault();
    location.reload();
  });

  // A poll that fails says so where the time of the last answer stands, and tries again.
  function late(event) {
    const mark = event.target.querySelector?.("[data-live-mark]");
    if (!mark || mark.classList.contains("is-late")) return;
    mark.classList.add("is-late");
    const text = mark.querySelector("span");
    text.textContent = `No answer since ${text.textContent.replace(/^live, /, "")}; trying again`;
  }
  document.addEventListener("htmx:error", late);
  document.addEventListener("htmx:response:error", late);

  // "Keep" closes its question; Escape and a click elsewhere close open questions and menus.
  const FLOATING = "details.tl-confirm[open], details.tl-menu[open]";
  function close(except) {
    for (const open of document.querySelectorAll(FLOATING)) {
      if (!open.contains(except)) open.open = false;
    }
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("details").open = false;
    close(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = event.target.closest?.(FLOATING);
    close(null);
    open?.querySelector("summary").focus();
  });
})();
