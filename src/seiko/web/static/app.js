// What the pages need beside htmx: the link's token, keys for rating and comparing, and where the focus goes.
"use strict";

const find = (selector, root = document) => root.querySelector(selector);

// ------------------------------------------------------------ coming in

const login = find("#login");
if (login && location.hash.length > 1) {
  find("#token").value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname); // the token leaves the address before anything else happens
  login.requestSubmit();
} else if (login) {
  login.addEventListener("submit", () => {
    const field = find("#token"); // somebody may paste the whole link
    field.value = field.value.slice(field.value.indexOf("#") + 1).trim();
  });
}

// ------------------------------------------------------------ the gallery

const cards = () => [...document.querySelectorAll("#gallery > li")];
const open = (card) => card.hasAttribute("data-open");

function focused() {
  const card = document.activeElement && document.activeElement.closest("#gallery > li");
  return card || cards().find(open) || null;
}

function nextOpen(after) {
  const all = cards();
  const from = all.indexOf(after) + 1;
  return [...all.slice(from), ...all.slice(0, from)].find(open);
}

function goTo(element) {
  if (element) {
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }
}

let last = null; // the design that was judged last here; two answers may reach the server in another order

function leave(card) {
  // at once, so that the next key already means the next design
  last = card.id.slice(2);
  card.removeAttribute("data-open");
  card.classList.add("sending");
  goTo(nextOpen(card) || find("#more a"));
}

function press(card, button) {
  if (button && open(card)) {
    button.click();
    leave(card);
  }
}

function galleryKey(event) {
  const card = focused();
  if (!card) return false;
  const slider = find("input[type=range]", card);
  if (/^[0-9]$/.test(event.key)) {
    if (slider && open(card)) {
      const low = Number(slider.min);
      slider.value = low + (Number(event.key) / 10) * (Number(slider.max) - low);
      showValue(slider);
      goTo(slider);
      return true;
    }
    const button = find(`button[name=score][value="${event.key}"]`, card);
    press(card, button);
    return Boolean(button);
  }
  if (event.key === "s") {
    press(card, find("button[name=skip]", card));
    return true;
  }
  if (event.key === "Enter" && slider && (document.activeElement === slider || document.activeElement === card)) {
    press(card, find("[data-save]", card));
    return true;
  }
  if (document.activeElement === slider) return false; // arrows move it
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) {
    const all = cards();
    goTo(all[all.indexOf(card) + step]);
    return true;
  }
  return false;
}

function showValue(slider) {
  const output = find("output", slider.form);
  if (output) output.value = slider.value;
}

// ------------------------------------------------------------ choosing the best

function choiceKey(event) {
  const picks = [...document.querySelectorAll(".pick")];
  const index = picks.length === 2 && event.key === "ArrowLeft" ? 0
    : picks.length === 2 && event.key === "ArrowRight" ? 1
    : /^[1-9]$/.test(event.key) ? Number(event.key) - 1
    : -1;
  const button = event.key === "s" ? find(".choices button[name=skip]") : picks[index];
  if (!button) return false;
  button.click();
  return true;
}

// ------------------------------------------------------------ all pages

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches && event.target.matches("input:not([type=range]), select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  let taken = false;
  if (event.key === "u" && find("#undo button:not(:disabled)")) {
    find("#undo button").click();
    taken = true;
  } else if (find("#gallery")) taken = galleryKey(event);
  else if (find(".choices")) taken = choiceKey(event);
  if (taken) event.preventDefault();
});

document.addEventListener("input", (event) => {
  if (event.target.type === "range") showValue(event.target);
});

document.addEventListener("submit", (event) => {
  const card = event.target.closest("#gallery > li");
  if (card && open(card)) leave(card); // by mouse or finger
});

function troubled(event) {
  const card = event.detail.elt && event.detail.elt.closest && event.detail.elt.closest("#gallery > li");
  if (card) {
    last = null;
    card.setAttribute("data-open", "");
    card.classList.remove("sending");
    goTo(card);
  }
}

document.addEventListener("htmx:configRequest", (event) => {
  const { path, parameters } = event.detail;
  if (path === "/rate/undo" && last && !parameters.query) parameters.query = last;
});

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const came = target.id === "progress" && fragment.firstElementChild;
  if (came && Number(came.dataset.done) < Number(target.dataset.done)) event.detail.shouldSwap = false; // overtaken
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget")) {
    event.detail.shouldSwap = true; // our own sentence says why
    troubled(event);
  } else if (target && target.id !== "notice" && xhr.status === 200 && event.detail.requestConfig.verb === "post") {
    find("#notice").replaceChildren();
  }
});
document.addEventListener("htmx:sendError", (event) => {
  const note = document.createElement("p");
  note.className = "note alarm";
  note.textContent = "The server cannot be reached; what you just did was not saved. Try again.";
  find("#notice").replaceChildren(note);
  troubled(event);
});

function settle() {
  // with a script one goes from design to design, and the keys score; without, each button must be reached
  document.querySelectorAll("#gallery button[name=score], #gallery button[name=skip]").forEach((button) => { button.tabIndex = -1; });
  document.querySelectorAll("input[type=range]").forEach(showValue);
  document.querySelectorAll("img.picture").forEach((image) => {
    const sharpen = () => image.classList.toggle("pixelated", image.naturalWidth <= 32);
    if (image.complete) sharpen();
    else image.addEventListener("load", sharpen, { once: true });
  });
}
document.addEventListener("htmx:afterSettle", settle);
document.addEventListener("htmx:afterSettle", (event) => {
  // the pair that was judged is gone, and the focus with it
  if (event.target.id === "choice" && document.activeElement === document.body) find(".pick")?.focus({ preventScroll: true });
});
document.addEventListener("DOMContentLoaded", () => {
  settle();
  const first = cards().find(open);
  if (first && window.matchMedia("(min-width: 621px)").matches) goTo(first);
});
