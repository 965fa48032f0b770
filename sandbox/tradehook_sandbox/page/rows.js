// Orders of both exchanges as rows of one table, and decimals as people read them; no arithmetic with money in here.

const DONE = new Set(["complete", "completed", "filled"]);
const OPEN = new Set(["active", "pending", "cancel_pending", "initialized", "trading"]);
const FAILED = new Set(["failed", "rejected", "overtimed"]);

/** Without zeros that say nothing. */
export const trimmed = (decimal) => (decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal);

/** In groups of three, without zeros that say nothing. */
export function group(decimal) {
  const [whole, rest] = trimmed(String(decimal)).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest ? `${grouped}.${rest}` : grouped;
}

/** The time of day, as this browser's person has it. */
export const clock = (at) => new Date(at).toLocaleTimeString([], { hourCycle: "h23" });

/** Both exchanges' orders, newest first. */
export function orderRows(trueMarkets, finTrusted) {
  return [...trueMarkets.map(fromTrueMarkets), ...finTrusted.map(fromFinTrusted)]
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

function fromTrueMarkets(order) {
  const coin = order.asset_symbol || order.base_asset;
  const size = order.qty_unit === "quote" ? `$${group(order.qty)} of ${coin}` : `${group(order.qty)} ${coin}`;
  const limit = order.type === "limit" ? ` at ${group(order.price)}` : "";
  const chain = order.chain ? ` on ${order.chain}` : "";
  return {
    ...told(order.status, order.created_at),
    id: order.order_id,
    what: `${capital(order.side)} ${size}${limit}${chain}`,
    filled: Number(order.executed_qty) ? `${group(order.executed_qty)} at ${group(order.executed_vwap)}` : "",
    where: "True Markets",
  };
}

function fromFinTrusted(order) {
  const [coin, cash] = order.symbol.split("/");
  const size = order.amount_unit === "quote" ? `${group(order.amount)} ${cash} of ${coin}` : `${group(order.amount)} ${coin}`;
  const limit = order.type === "LIMIT_PRICE" ? ` at ${group(order.price)}` : "";
  return {
    ...told(order.status, order.created_at),
    id: order.order_id,
    what: `${capital(order.direction)} ${size}${limit}`,
    filled: Number(order.traded_amount) ? `${group(order.traded_amount)} for ${group(order.turnover)} ${cash}` : "",
    where: "FinTrusted",
  };
}

function told(status, at) {
  const word = status.toLowerCase();
  const tone = DONE.has(word) ? "done" : OPEN.has(word) ? "open" : FAILED.has(word) ? "failed" : "ended";
  return { status: word.replaceAll("_", " "), tone, at, when: clock(at) };
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
