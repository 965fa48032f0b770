// Asking the sandbox: JSON out, JSON in, and a sentence when it will not.

const BASE = "/_sandbox";

export class Refused extends Error {}

export async function get(path, query = {}, signal = undefined) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined));
  return read(await fetch(`${BASE}${path}?${asked}`, { signal }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return read(await fetch(BASE + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

export async function remove(path) {
  return read(await fetch(BASE + path, { method: "DELETE" }));
}

async function read(answer) {
  const content = await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  throw new Refused(content.error || content.message || `The sandbox answered ${answer.status}.`);
}

/** An element with a class and children; strings become text. */
export function make(tag, name = "", ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

export const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });
