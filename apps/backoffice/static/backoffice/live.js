// Keeps the statuses of a list of jobs, runs or calls up to date. What comes back is written as text, never as markup.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const OVER = new Set(["finished", "succeeded", "failed", "cancelled", "timed_out"]);
  const KNOWN = ["queued", "running", ...OVER];

  async function refresh(address) {
    const badges = [...document.querySelectorAll("[data-job]")].filter((badge) => !OVER.has(badge.textContent));
    if (!badges.length || document.hidden) return;
    const ids = badges.map((badge) => badge.dataset.job).join(",");
    const answer = await fetch(`${address}?ids=${encodeURIComponent(ids)}`, { redirect: "error" });
    if (!answer.ok) return;
    const statuses = await answer.json();
    for (const badge of badges) {
      const status = statuses[badge.dataset.job];
      if (KNOWN.includes(status)) {
        badge.textContent = status;
        badge.className = `badge is-${status}`;
      }
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const marker = document.querySelector("[data-live-statuses]");
    if (!marker) return;
    setInterval(() => refresh(marker.dataset.liveStatuses).catch(() => {}), EVERY_MS);
  });
})();
