// The other side: what the exchange holds, its orders and its book, looked at once a second, and what can be done to it.

import { get, make, pause, post, remove } from "./asking.js";
import { group, orderRows, trimmed } from "./rows.js";

const LOOK_EVERY_MS = 1000;
const LEVELS = 5;
const ORDERS_SHOWN = 25;
const JUMPS = [-5, -1, 1, 5];
const by = (id) => document.getElementById(id);

const ON_ORDERS = [
  ["Lose the answer, order placed", { kind: "timeout_after" }],
  ["Answer 503, order placed", { kind: "error_after", status: 503 }],
  ["Answer 503, order not placed", { kind: "error_before", status: 503 }],
  ["Answer 5 s late", { kind: "slow", delay_seconds: 5 }],
  ["Too many requests (429)", { kind: "rate_limited" }],
];
const ON_TELEGRAM = [
  ["Next message: 429, wait 5 s", { kind: "rate_limited", method: "sendMessage", retry_after: 5 }],
  ["Next message: 502, not delivered", { kind: "error_before", method: "sendMessage", status: 502 }],
  ["Next message: delivered, answer lost", { kind: "timeout_after", method: "sendMessage", seconds: 30 }],
  ["Next updates come twice", { kind: "ack_lost", method: "getUpdates" }],
];

export class Exchange {
  constructor() {
    this.shown = new Map(); // what each part was drawn from
    this.before = {}; // prices at the last look
    this.seen = null; // orders at the last look, by id
  }

  start() {
    by("exchange-faults").append(...ON_ORDERS.map(([label, fault]) => act(label, () => this.spoil(fault))));
    by("telegram-faults").append(
      ...ON_TELEGRAM.map(([label, fault]) => act(label, () => post("/telegram/faults", fault))),
      act("Newest update once more", () => post("/telegram/replay", {})),
    );
    by("still").addEventListener("click", () => this.do(() => post("/prices", { walk: false })));
    by("walk").addEventListener("click", () => this.do(() => post("/prices", { walk: true })));
    by("market").addEventListener("change", () => { this.shown.delete("book"); this.look(); });
    document.addEventListener("click", (event) => this.clicked(event));
    this.live();
  }

  async live() {
    for (;;) {
      if (document.visibilityState === "visible") await this.look().catch(() => {});
      await pause(LOOK_EVERY_MS);
    }
  }

  async look() {
    const [prices, balances, members, orders, others, book, faults, telegram] = await Promise.all([
      get("/prices"), get("/balances"), get("/fintrusted/members"), get("/orders"), get("/fintrusted/orders"),
      get("/book"), get("/faults"), get("/telegram/faults"),
    ]);
    this.draw("prices", prices, () => this.drawPrices(prices));
    this.draw("balances", [balances, members], () => drawBalances(balances, members.data));
    const rows = orderRows(orders.data, others.data).slice(0, ORDERS_SHOWN);
    this.draw("orders", rows, () => this.drawOrders(rows));
    this.draw("book", book, () => drawBook(book));
    this.draw("waiting", [faults.data, telegram.faults], () => drawWaiting(faults.data, telegram.faults));
  }

  /** Drawn only when something changed, so that focus and selection stay where they are. */
  draw(part, content, draw) {
    const text = JSON.stringify(content);
    if (this.shown.get(part) === text) return;
    this.shown.set(part, text);
    draw();
  }

  drawPrices(prices) {
    for (const [coin, price] of Object.entries(prices)) {
      let row = by("prices").querySelector(`[data-coin="${coin}"]`);
      if (!row) {
        const jumps = JUMPS.map((percent) => {
          const label = `${percent > 0 ? "+" : "−"}${Math.abs(percent)} %`;
          const button = act(label, () => post("/prices", { [coin]: jumped(this.before[coin], percent) }));
          button.setAttribute("aria-label", `${coin} ${label}`);
          return button;
        });
        row = make("div", "coin", make("span", "", coin), make("strong"), make("span", "jumps", ...jumps));
        row.dataset.coin = coin;
        by("prices").append(row);
      }
      const rises = Number(price) - Number(this.before[coin] ?? price);
      const shown = row.querySelector("strong");
      shown.className = rises > 0 ? "up" : rises < 0 ? "down" : "";
      shown.textContent = group(rounded(price));
    }
    this.before = prices;
  }

  drawOrders(rows) {
    const fresh = new Set(rows.filter((row) => this.seen && this.seen.get(row.id) !== row.status + row.filled).map((row) => row.id));
    this.seen = new Map(rows.map((row) => [row.id, row.status + row.filled]));
    if (!rows.length) {
      by("orders").replaceChildren(make("p", "soft", "No orders yet. In the chat: /buy BTC $100"));
      return;
    }
    const lines = rows.map((row) => {
      const line = make("tr", fresh.has(row.id) ? "fresh" : "",
        make("td", "", row.what), make("td", "", make("span", `status ${row.tone}`, row.status)),
        make("td", "", row.filled), make("td", "soft", `${row.where} · ${row.when}`));
      line.dataset.order = row.id;
      line.title = row.id;
      return line;
    });
    by("orders").replaceChildren(table(["Order", "Status", "Filled", ""], lines));
  }

  async spoil(fault) {
    await post("/faults", { method: "POST", path: by("where").value, times: 1, ...fault });
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (button?.act) this.do(button.act);
  }

  async do(deed) {
    try {
      await deed();
      await this.look();
    } catch (error) {
      by("connection").textContent = error.message;
      setTimeout(() => { if (by("connection").textContent === error.message) by("connection").textContent = ""; }, 6000);
    }
  }
}

/** A button that does this, and after which everything is looked at again. */
function act(label, deed) {
  const button = make("button", "", label);
  button.type = "button";
  button.act = deed;
  return button;
}

const rounded = (price) => Number(price).toFixed(2);
const jumped = (price, percent) => (Number(price) * (1 + percent / 100)).toFixed(3);

function drawBalances(accounts, members) {
  const parts = [];
  for (const [name, { data }] of Object.entries(accounts)) {
    parts.push(make("h3", "", `True Markets · ${name}`), wallet(data.map((row) => ({
      name: row.chain ? `${row.symbol} on ${row.chain}` : row.symbol, available: row.available, held: row.held,
    }))));
  }
  for (const member of members) {
    parts.push(make("h3", "", `FinTrusted · ${member.email}`), wallet(
      Object.entries(member.wallets).map(([coin, { available, frozen }]) => ({ name: coin, available, held: frozen })),
    ));
  }
  by("balances").replaceChildren(...parts);
}

function wallet(rows) {
  const there = rows.filter((row) => Number(row.available) || Number(row.held));
  return table(["", "available", "held"], there.map((row) => make("tr", "",
    make("td", "", row.name), make("td", "number", group(row.available)), make("td", "number soft", held(row.held)))));
}

const held = (amount) => (Number(amount) ? group(amount) : "");

function table(heads, lines) {
  const cells = heads.map((head) => {
    const cell = make("th", head === "available" || head === "held" ? "number" : "", head);
    cell.scope = "col";
    return cell;
  });
  return make("table", "", make("thead", "", make("tr", "", ...cells)), make("tbody", "", ...lines));
}

function drawBook(books) {
  const select = by("market");
  const names = Object.keys(books);
  if (select.options.length !== names.length) select.replaceChildren(...names.map((name) => make("option", "", name)));
  const { bids, asks } = books[select.value] ?? { bids: [], asks: [] };
  const sides = [["down", asks.slice(0, LEVELS).reverse()], ["up", bids.slice(0, LEVELS)]];
  const most = Math.max(...sides.flatMap(([, levels]) => levels.map((level) => Number(level.qty))), 0);
  const [above, below] = sides.map(([tone, levels]) => levels.map((level) => {
    const bar = make("span", "bar-of");
    bar.style.width = `${most ? (100 * Number(level.qty)) / most : 0}%`;
    const price = make("td", tone, bar, group(level.price));
    return make("tr", "", price, make("td", "number", trimmed(level.qty)), make("td", "soft", level.order_id ? "a person's" : ""));
  }));
  const spread = asks.length && bids.length ? `spread ${group((Number(asks[0].price) - Number(bids[0].price)).toFixed(2))}` : "one side is empty";
  const gap = make("tr", "gap", make("td", "", spread));
  gap.firstChild.colSpan = 3;
  by("book").replaceChildren(make("table", "", make("tbody", "", ...above, gap, ...below)));
}

function drawWaiting(exchange, telegram) {
  const told = (fault) => `${fault.kind} at ${fault.method} ${fault.path ?? ""}${fault.times > 1 ? `, ${fault.times} times` : ""}`;
  const all = [...exchange.map(told), ...telegram.map((fault) => `${told(fault)} of Telegram`)];
  if (!all.length) { by("waiting").replaceChildren(); return; }
  const clear = act("Take all back", () => Promise.all([remove("/faults"), remove("/telegram/faults")]));
  by("waiting").replaceChildren("Waiting to happen:", make("ul", "", ...all.map((text) => make("li", "", text))), clear);
}
