"use strict";

// Asks the server what changed, tells the page's parts by a "live" event, and says how fresh all this is.
(() => {
  const POLL = 5000;
  const SLOWEST = 60000;
  const TIMEOUT = 15000;

  const head = document.querySelector("[data-live]");
  if (!head) return;
  const zone = head.dataset.zone;
  const status = head.querySelector("[data-status]");
  const statusText = head.querySelector("[data-status-text]");
  const clock = head.querySelector("[data-clock]");

  const formatter = options => new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
  const wallClock = formatter({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const hours = formatter({ hour: "2-digit", minute: "2-digit" });

  let etag = null;
  let failures = 0;
  let timer = null;
  let asking = false;
  // The server's clock counts: a visitor's may be wrong. Null until it is known.
  let offset = null;
  let confirmed = null;
  // What the newest answer said of the readings; an unchanged answer is not sent again.
  let found = ["live", "Live"];

  const now = () => Date.now() + (offset ?? 0);

  const show = (state, text) => {
    status.dataset.status = state;
    // Rewriting the same words would make screen readers say them again.
    if (statusText.textContent !== text) statusText.textContent = text;
    document.documentElement.dataset.connection = state;
  };

  // A working connection to a silent house is not live.
  const judge = cards => {
    if (!cards?.length || cards.some(card => card.state !== "offline")) return ["live", cards?.length ? "Live" : "Connected"];
    if (cards.some(card => card.timestamp !== null)) return ["silent", "No new readings"];
    return ["silent", "Waiting for the first reading"];
  };

  const setClock = response => {
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (offset === null && Number.isFinite(date)) offset = date - Date.now();
  };

  const take = async response => {
    // Logged out, or no longer a member: the page itself says so best.
    if (response.status === 401 || response.status === 404) return location.reload();
    if (response.status !== 304) {
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const answer = await response.json();
      etag = response.headers.get("ETag");
      offset = answer.now - Date.now();
      found = judge(answer.cards);
      document.dispatchEvent(new CustomEvent("live", { detail: answer }));
    }
    setClock(response);
    confirmed = now();
    failures = 0;
    show(...found);
  };

  const lost = () => {
    failures += 1;
    show("lost", confirmed ? `Connection lost, showing data of ${hours.format(confirmed)}` : "No connection, trying again");
  };

  const ask = async () => {
    if (asking || document.hidden) return;
    asking = true;
    try {
      await take(await fetch(head.dataset.live, {
        cache: "no-store",
        credentials: "same-origin",
        headers: etag ? { "If-None-Match": etag } : {},
        signal: AbortSignal.timeout(TIMEOUT),
      }));
    } catch {
      lost();
    } finally {
      asking = false;
      later();
    }
  };

  const later = () => {
    clearTimeout(timer);
    // Doubles with each failure, and scatters, so that a restarted server is not met by everybody at once.
    const wait = failures ? Math.min(SLOWEST, POLL * 2 ** (failures - 1)) * (0.75 + Math.random() / 2) : POLL;
    timer = setTimeout(ask, wait);
  };

  const tick = () => {
    if (offset === null) return;
    clock.textContent = wallClock.format(now());
    document.dispatchEvent(new CustomEvent("tick", { detail: { now: now() } }));
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) ask();
  });
  addEventListener("online", ask);
  setInterval(tick, 1000);
  ask();
})();
