// The person's telephone: who they are, what is said, what they press. Follows the sandbox's events as they happen.

import { get, make, pause, post } from "./asking.js";
import { messageItem } from "./messages.js";

const LONG_POLL_SECONDS = 20;
const TYPING_SHOWN_MS = 5000;
const NEAR_THE_END = 60;
const START_LINK = /^(?:https?:\/\/)?t(?:elegram)?\.me\/\w+\?start=([\w-]{1,64})$/;
const by = (id) => document.getElementById(id);

export class Chat {
  constructor({ user, lost }) {
    this.user = user;
    this.lost = lost; // told whether the sandbox answers
    this.bot = null;
    this.room = null; // {chat, topic, topics}; null is the private chat
    this.turn = 0; // of whoever follows events; an older one stops
    this.known = new Map(); // chats' topics by number
    this.pressed = new Map(); // buttons whose press is not answered, by the press's id
  }

  start() {
    by("person").value = this.user;
    by("person").addEventListener("change", () => this.become(by("person").value));
    by("bot").addEventListener("change", () => { this.bot = Number(by("bot").value); this.room = null; this.open(); });
    by("room").addEventListener("change", () => { this.room = JSON.parse(by("room").value); this.open(); });
    by("composer").addEventListener("submit", (event) => { event.preventDefault(); this.send(by("text").value); });
    by("text").addEventListener("keydown", (event) => this.typed(event));
    by("text").addEventListener("input", grow);
    by("menu-button").addEventListener("click", () => this.toggleMenu());
    by("menu").addEventListener("keydown", moveInMenu);
    this.watchBots();
  }

  become(name) {
    this.user = name.trim() || "you";
    by("person").value = this.user;
    try { localStorage.setItem("person", this.user); } catch { /* a private window keeps nothing */ }
    this.room = null;
    this.open();
  }

  /** Which bots there are, all the while; the chat opens when the first one is there. */
  async watchBots() {
    for (;;) {
      try {
        this.lost(false);
        await this.showBots((await get("/telegram/bots")).bots);
      } catch { this.lost(true); }
      await pause(2000);
    }
  }

  async showBots(bots) {
    const select = by("bot");
    const names = bots.map((bot) => `${bot.id} ${bot.username}`).join();
    if (select.dataset.names !== names) {
      select.dataset.names = names;
      select.replaceChildren(...bots.map((bot) => option(bot.id, `@${bot.username}`)));
      by("bot-label").hidden = bots.length < 2;
      by("people").replaceChildren(...people(bots).map((name) => option(name, name)));
    }
    if (!bots.some((bot) => bot.id === this.bot)) {
      this.bot = bots.length ? bots[0].id : null;
      this.open();
    }
    const mine = bots.find((bot) => bot.id === this.bot);
    if (mine) select.value = String(mine.id);
    by("polling").className = mine?.polling ? "on" : "";
    by("polling").textContent = mine ? (mine.polling ? "bot is there" : "bot is away") : "no bot";
    if (mine) await this.showRooms();
  }

  async showRooms() {
    const groups = (await get("/telegram/groups", { token: this.bot })).groups.filter(
      (group) => group.migrated_to === null && group.people.some((person) => person.name === this.user),
    );
    const rooms = groups.flatMap((group) => [
      { label: group.title, room: { chat: group.id, topic: null } },
      ...group.topics.map((topic) => ({ label: `${group.title} › ${topic.name}`, room: { chat: group.id, topic: topic.id } })),
    ]);
    this.known = new Map(groups.flatMap((group) => group.topics.map((topic) => [topic.id, topic.name])));
    const options = [{ label: "private chat", room: null }, ...rooms];
    const select = by("room");
    const names = JSON.stringify(options);
    by("room-label").hidden = !rooms.length;
    if (select.dataset.names === names) return;
    select.dataset.names = names;
    select.replaceChildren(...options.map(({ label, room }) => option(JSON.stringify(room), label)));
    select.value = JSON.stringify(this.room);
  }

  /** The chat of this person with this bot, from its beginning, and everything that happens in it from now on. */
  async open() {
    const turn = ++this.turn;
    this.stop?.abort();
    this.stop = new AbortController();
    by("log").replaceChildren();
    by("keyboard").hidden = true;
    if (this.bot === null) {
      this.tellEmpty("No bot has connected yet. Start one: tradehook-bot run");
      return;
    }
    const query = { chat: this.room?.chat ?? this.user, token: this.bot };
    let since = 0;
    try {
      const earlier = await get("/telegram/transcript", query, this.stop.signal);
      if (turn !== this.turn) return;
      earlier.messages.filter((message) => !message.deleted).forEach((message) => this.show(message));
      since = earlier.next;
    } catch (error) { if (turn === this.turn) this.tell(error.message, true); }
    if (!by("log").children.length) this.tellEmpty(greeting());
    while (turn === this.turn) {
      try {
        const asked = { ...query, since, timeout: LONG_POLL_SECONDS };
        const look = await get("/telegram/events", asked, this.stop.signal);
        if (turn !== this.turn) return;
        since = look.next;
        this.lost(look.stopping);
        look.events.forEach((event) => this.happened(event));
        if (look.stopping) await pause(1000);
      } catch {
        if (turn !== this.turn) return;
        this.lost(true);
        await pause(1000);
      }
    }
  }

  happened(event) {
    if (event.kind === "message" || event.kind === "edit") this.show(event.message);
    else if (event.kind === "delete") by("log").querySelector(`[data-id="${event.message.message_id}"]`)?.remove();
    else if (event.kind === "answer") this.answered(event.press);
    else if (event.kind === "action") this.tell("The bot is typing…", false, TYPING_SHOWN_MS);
    else if (event.kind === "blocked") this.tell("You blocked the bot.");
    else if (event.kind === "left") this.tell("The bot left the group.");
  }

  show(message) {
    if (this.room?.topic && message.thread !== this.room.topic) return;
    const log = by("log");
    log.querySelector(".empty")?.remove();
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_THE_END;
    const mine = message.from === "person" && (this.room === null || message.name === this.user);
    const view = { mine, named: this.room !== null, topic: this.room?.topic ? null : this.known.get(message.thread) };
    const item = messageItem(message, view, this.doing());
    const before = log.querySelector(`[data-id="${message.message_id}"]`);
    if (before) {
      const hadFocus = before.contains(document.activeElement);
      before.replaceWith(item);
      if (hadFocus) (item.querySelector(".keys button") ?? by("text")).focus({ preventScroll: true });
    } else {
      log.append(item);
      if (message.from === "bot") { this.showKeyboard(message.reply_keyboard); this.tell(""); }
    }
    if (follows || mine) {
      log.scrollTop = log.scrollHeight;
      item.querySelector("img")?.addEventListener("load", () => { log.scrollTop = log.scrollHeight; });
    }
  }

  doing() {
    return {
      press: (message, button, element) => this.press(message, button, element),
      command: (text) => this.fill(text),
      copy: async (text) => {
        const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
        this.tell(done ? `Copied: ${text}` : text);
      },
      open: (address) => {
        const code = START_LINK.exec(address)?.[1];
        if (code) this.fill(`/start ${code}`);
        return Boolean(code);
      },
    };
  }

  async press(message, button, element) {
    const same = message.buttons.filter((other) => other.data === button.data || other.text === button.data);
    element.setAttribute("aria-busy", "true");
    try {
      // By its data: the keyboard may have changed since it was drawn.
      const wanted = same.length === 1 ? button.data : button.number;
      const body = { message_id: message.message_id, button: wanted, user: this.user, token: this.bot };
      const { press } = await post("/telegram/tap", body);
      this.pressed.set(press.callback_query_id, element);
    } catch (error) {
      element.removeAttribute("aria-busy");
      this.tell(error.message, true);
    }
  }

  answered(press) {
    this.pressed.get(press.callback_query_id)?.removeAttribute("aria-busy");
    this.pressed.delete(press.callback_query_id);
    if (!press.answer.text) return;
    if (press.answer.show_alert) {
      by("alert").querySelector("p").textContent = press.answer.text;
      by("alert").showModal();
    } else this.tell(press.answer.text);
  }

  async send(written) {
    const text = written.trim();
    if (!text) return;
    if (this.bot === null) { this.tell("No bot has connected yet; it would find nobody.", true); return; }
    const code = START_LINK.exec(text)?.[1];
    const place = this.room === null ? {} : { chat: this.room.chat, topic: this.room.topic };
    by("text").value = "";
    grow();
    try {
      await post("/telegram/say", { text: code ? `/start ${code}` : text, user: this.user, token: this.bot, ...place });
      this.tell("");
    } catch (error) {
      by("text").value = written;
      this.tell(error.message, true);
    }
  }

  typed(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send(by("text").value);
    } else if (event.key === "Escape") this.closeMenu();
  }

  fill(text) {
    by("text").value = text;
    grow();
    by("text").focus();
  }

  async toggleMenu() {
    if (!by("menu").hidden) { this.closeMenu(); return; }
    let commands = [];
    try {
      ({ commands } = await get("/telegram/commands", { token: this.bot, chat: this.room?.chat ?? this.user }));
    } catch (error) { this.tell(error.message, true); return; }
    const rows = commands.map((command) => {
      const row = make("button", "", make("b", "", `/${command.command}`), make("span", "", command.description));
      row.type = "button";
      row.addEventListener("click", () => { this.closeMenu(); this.fill(`/${command.command} `); });
      return row;
    });
    if (!rows.length) { this.tell("The bot has set no commands yet."); return; }
    by("menu").replaceChildren(...rows);
    by("menu").hidden = false;
    by("menu-button").setAttribute("aria-expanded", "true");
    rows[0].focus();
  }

  closeMenu() {
    if (by("menu").hidden) return;
    by("menu").hidden = true;
    by("menu-button").setAttribute("aria-expanded", "false");
    by("text").focus();
  }

  showKeyboard(keyboard) {
    if (!keyboard?.rows) return;
    by("keyboard").hidden = !keyboard.rows.length;
    by("keyboard").replaceChildren(...keyboard.rows.flat().map((text) => {
      const element = make("button", "", text);
      element.addEventListener("click", () => this.send(text));
      return element;
    }));
  }

  tellEmpty(text) { by("log").replaceChildren(make("li", "empty", text)); }

  tell(text, isBad = false, forMilliseconds = 0) {
    by("notice").className = isBad ? "bad" : "";
    by("notice").textContent = text;
    if (forMilliseconds) setTimeout(() => { if (by("notice").textContent === text) this.tell(""); }, forMilliseconds);
  }
}

function option(value, label) {
  const element = make("option", "", label);
  element.value = value;
  return element;
}

function people(bots) {
  return [...new Set(["you", ...bots.flatMap((bot) => bot.people.map((person) => person.name))])];
}

function greeting() {
  const isInvited = by("text").value.startsWith("/start ");
  return isInvited
    ? "Press Send: the invitation in the box below makes you the bot's owner."
    : "Nobody has said anything yet. Type /start, or /start and the code of an invitation.";
}

function grow() {
  const text = by("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

function moveInMenu(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (step) { event.preventDefault(); document.activeElement[step]?.focus(); }
  if (event.key === "Escape") { by("menu-button").click(); }
}
