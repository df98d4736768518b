// Asks for the same page again now and then, and puts what changed in its place: focus, scroll and open details stay.
// Everything can be read without this file.
"use strict";

(() => {
  const EVERY = 20_000; // the engine makes a new snapshot at least every 30 s
  const PATIENCE = 10_000;
  const main = document.getElementById("contenu");
  const fresh = document.getElementById("fraicheur");
  const told = document.getElementById("annonce");
  let silentSince = 0; // when the engine stopped answering, on this browser's clock
  let lastSaid = summary(document);

  function summary(page) {
    const place = page.querySelector("[data-summary]");
    return place ? place.dataset.summary : "";
  }

  function say(words) {
    told.textContent = words;
  }

  // Where the focus is, in a way that can be found again in another copy of the page.
  function place(element) {
    if (!element || element === document.body || !main.contains(element)) return null;
    if (element.id) return { id: element.id };
    const all = [...main.querySelectorAll(element.tagName)].filter((one) => key(one) === key(element));
    return { tag: element.tagName, key: key(element), rank: all.indexOf(element) };
  }

  function key(element) {
    return (element.getAttribute("href") || "") + "|" + (element.getAttribute("aria-label") || "") + "|" +
      (element.parentElement.id || "");
  }

  function find(where) {
    if (!where) return null;
    if (where.id) return document.getElementById(where.id);
    return [...main.querySelectorAll(where.tag)].filter((one) => key(one) === where.key)[where.rank] || null;
  }

  function swap(page) {
    const next = page.getElementById("contenu");
    if (!next || next.innerHTML === main.innerHTML) return;
    for (const mine of main.querySelectorAll("details[id]")) {
      const theirs = next.querySelector("#" + CSS.escape(mine.id));
      if (theirs) theirs.open = mine.open;
    }
    const scrolled = [...main.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    const where = place(document.activeElement);
    const [x, y] = [window.scrollX, window.scrollY];
    main.replaceChildren(...document.importNode(next, true).childNodes);
    [...main.querySelectorAll(".scroll")].forEach((each, rank) => { each.scrollLeft = scrolled[rank] || 0; });
    const focus = find(where);
    if (focus) focus.focus({ preventScroll: true });
    window.scrollTo(x, y);
  }

  function time(at) {
    return new Date(at).toLocaleTimeString("fr-FR", { hour: "2-digit", minute: "2-digit" });
  }

  function lost() {
    if (!silentSince) {
      silentSince = Date.now();
      say(`Le moteur ne répond plus depuis ${time(silentSince)}.`);
    }
    const since = fresh.textContent.match(/Données du [0-9/]+ à [0-9:]+/);
    const line = document.createElement("p");
    line.className = "old";
    line.textContent = `${since ? since[0] : "Données anciennes"} ; moteur muet depuis ${time(silentSince)}`;
    fresh.replaceChildren(line);
  }

  async function look() {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error("status");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const top = page.getElementById("fraicheur");
      if (!top) throw new Error("another page");
      swap(page);
      fresh.replaceChildren(...document.importNode(top, true).childNodes);
      if (silentSince) say("Le moteur répond de nouveau.");
      else if (summary(page) !== lastSaid) say(summary(page));
      silentSince = 0;
      lastSaid = summary(page);
    } catch {
      lost();
    }
  }

  function again() {
    window.setTimeout(async () => {
      if (!document.hidden) await look();
      again();
    }, EVERY);
  }

  if (!fresh.children.length) return; // a page without data: nothing to ask again
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  window.addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
  again();
})();
