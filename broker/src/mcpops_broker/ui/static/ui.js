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
    const focused = document.activeElement;
    for (const old of document.querySelectorAll("[data-live]")) {
      const found = page.getElementById(old.id);
      if (found) change(old, found);
    }
    if (document.title !== page.title) document.title = page.title;
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  };

  // Makes a node equal to another one and leaves alone what is equal already: whoever scrolls a table, selects text, or
  // is about to press a button, goes on. What has a data-key stays the same element wherever it goes.
  const change = (old, found) => {
    if (old.isEqualNode(found)) return;
    if (old.nodeName !== found.nodeName) return old.replaceWith(found);
    if (old.nodeType !== Node.ELEMENT_NODE) return void (old.data = found.data);
    for (const { name } of [...old.attributes]) {
      if (!found.hasAttribute(name) && name !== "open") old.removeAttribute(name); // the reader opened it
    }
    for (const { name, value } of found.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const keyed = new Map([...old.children].filter((one) => one.dataset.key).map((one) => [one.dataset.key, one]));
    let next = old.firstChild;
    for (const child of [...found.childNodes]) {
      const key = child.dataset?.key;
      const same = key ? keyed.get(key) : next?.dataset?.key ? null : next;
      if (same && same === next) next = next.nextSibling;
      else old.insertBefore(same || child, next);
      if (same) change(same, child);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
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
