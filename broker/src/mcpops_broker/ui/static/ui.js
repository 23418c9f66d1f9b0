// SPDX-License-Identifier: Apache-2.0
// Keeps a page current. Everything on it works without: this asks for the same page again and puts the parts that have
// changed ([data-live], by id) in the place of the old ones.
"use strict";
(() => {
  const EVERY = 2000; // milliseconds
  const pulse = document.querySelector(".pulse");
  const live = document.querySelector("[data-live]");
  const search = document.querySelector("[data-search]");
  if (!pulse || !live) return;

  const state = pulse.querySelector(".pulse-state");
  const button = pulse.querySelector("button");
  let paused = false;
  let asked = 0; // the number of the last question: only its answer counts

  const say = (name, text) => {
    if (pulse.dataset.state === name) return; // screen readers hear changes only
    pulse.dataset.state = name;
    state.textContent = text;
  };

  const refresh = async () => {
    const number = ++asked;
    try {
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
      const text = await answer.text();
      if (number !== asked) return;
      if (answer.redirected || !answer.ok) throw new Error(answer.status);
      take(new DOMParser().parseFromString(text, "text/html"));
      say("live", "Live");
    } catch {
      if (number === asked) say("lost", "The broker does not answer. Trying again.");
    }
  };

  const take = (page) => {
    for (const old of document.querySelectorAll("[data-live]")) {
      const found = page.getElementById(old.id);
      if (!found || found.isEqualNode(old)) continue;
      for (const details of old.querySelectorAll("details[open][id]")) {
        const same = found.querySelector("#" + CSS.escape(details.id));
        if (same) same.open = true;
      }
      if (found.isEqualNode(old)) continue;
      const focused = old.contains(document.activeElement) ? place(old, document.activeElement) : null;
      const selected = getSelection();
      if (!selected.isCollapsed && old.contains(selected.anchorNode)) continue; // somebody is about to copy it
      old.replaceWith(found);
      if (focused) follow(found, focused)?.focus({ preventScroll: true });
    }
    if (document.title !== page.title) document.title = page.title;
  };

  // Where the focus is: the link or button of the same address or name, else the one at the same place.
  const FOCUSABLE = "a[href], button, summary, [tabindex]";
  const place = (part, element) => ({
    href: element.getAttribute("href"),
    label: element.getAttribute("aria-label"),
    index: [...part.querySelectorAll(FOCUSABLE)].indexOf(element),
  });
  const follow = (part, { href, label, index }) => {
    const all = [...part.querySelectorAll(FOCUSABLE)];
    const same = all.find((one) => (href || label) && one.getAttribute("href") === href && one.getAttribute("aria-label") === label);
    return same || all[index];
  };

  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    if (paused) say("paused", "Paused");
    else refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) refresh();
  });
  setInterval(() => {
    if (!document.hidden && !paused) refresh();
  }, EVERY);

  if (search) {
    let typing = 0;
    const look = () => {
      const query = new URLSearchParams(new FormData(search));
      history.replaceState(null, "", search.getAttribute("action") + "?" + query);
      refresh();
    };
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(look, 150);
    });
    search.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      look();
    });
  }

  say("live", "Live");
  pulse.hidden = false;
})();
