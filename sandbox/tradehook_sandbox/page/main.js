// Both sides on one page. `#say=...` puts words into the message box, for the person to send; `#exchange` begins there.

import { Chat } from "./chat.js";
import { Exchange } from "./exchange.js";

const by = (id) => document.getElementById(id);

function view(name) {
  document.querySelector("main").dataset.view = name;
  by("show-chat").setAttribute("aria-pressed", String(name === "chat"));
  by("show-exchange").setAttribute("aria-pressed", String(name === "exchange"));
}

function remembered() {
  try { return localStorage.getItem("person"); } catch { return null; }
}

function lost(isLost) {
  const words = "The sandbox does not answer.";
  if (isLost) by("connection").textContent = words;
  else if (by("connection").textContent === words) by("connection").textContent = "";
}

const wishes = new URLSearchParams(location.hash.slice(1));
by("show-chat").addEventListener("click", () => view("chat"));
by("show-exchange").addEventListener("click", () => view("exchange"));
if (wishes.has("exchange")) view("exchange");
const chat = new Chat({ user: wishes.get("user") || remembered() || "you", lost });
chat.start();
new Exchange().start();
if (wishes.has("say")) {
  chat.fill(wishes.get("say"));
  history.replaceState(null, "", location.pathname); // a code is not to stay in the address
}
