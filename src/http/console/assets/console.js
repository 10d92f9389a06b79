// Renews what a page marks as live, whenever something changed; without it the page stays as it was loaded.
"use strict";
(() => {
  const live = document.querySelector("[data-live]");
  if (!live || !window.EventSource) return;
  const PAUSE_MS = 2000;
  let due = false;
  let busy = false;

  async function renew() {
    // Who is writing in a form, or has something selected, is not disturbed.
    const writes = live.contains(document.activeElement) && document.activeElement !== document.body;
    if (busy || writes || !getSelection().isCollapsed || document.hidden) return;
    busy = true;
    due = false;
    try {
      const response = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
      if (response.ok) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const fresh = page.querySelector("[data-live]");
        if (fresh) live.replaceChildren(...fresh.childNodes);
      }
    } catch {
      // The next change tries again.
    } finally {
      setTimeout(() => { busy = false; if (due) renew(); }, PAUSE_MS);
    }
  }

  const source = new EventSource("/console/live");
  source.addEventListener("changed", () => { due = true; renew(); });
  document.addEventListener("visibilitychange", () => { if (due) renew(); });
})();
