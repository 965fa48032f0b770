// A message's text as nodes: entities become elements, and text only ever becomes text.

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote",
};
const SAFE = new Set(["http:", "https:", "tg:", "mailto:"]);

/** The address, when a click on it can do no harm; otherwise null. */
export function safeAddress(address) {
  const written = /^[a-z][a-z0-9+.-]*:/i.test(address) ? address : `https://${address}`;
  try {
    const url = new URL(written);
    return SAFE.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A link that leads out of the page, or plain text where the address is not to be trusted. */
export function link(address, open) {
  const safe = safeAddress(address);
  if (safe === null) return document.createElement("span");
  const anchor = document.createElement("a");
  anchor.href = safe;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.addEventListener("click", (event) => { if (open(safe)) event.preventDefault(); });
  return anchor;
}

/**
 * The text below `parent`. Offsets count UTF-16 units, as strings here do.
 * `doing` has what a person can do with a part: `command(text)`, `copy(text)`, `open(address)` (true: done).
 */
export function write(parent, text, entities, doing) {
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  build(parent, text, 0, text.length, sorted, doing);
}

function build(parent, text, from, to, entities, doing) {
  let at = from;
  const left = [...entities];
  while (left.length) {
    const one = left.shift();
    const end = Math.min(one.offset + one.length, to);
    if (one.offset < at || end <= one.offset) continue;
    parent.append(text.slice(at, one.offset));
    const inner = [];
    while (left.length && left[0].offset < end) inner.push(left.shift());
    const element = elementOf(one, text.slice(one.offset, end), doing);
    build(element, text, one.offset, end, inner, doing);
    parent.append(element);
    at = end;
  }
  parent.append(text.slice(at, to));
}

function elementOf(entity, text, doing) {
  if (entity.type === "text_link") return link(entity.url, doing.open);
  if (entity.type === "url") return link(text, doing.open);
  if (entity.type === "bot_command") return button("command", () => doing.command(text));
  if (entity.type === "spoiler") return spoiler();
  const element = document.createElement(TAGS[entity.type] ?? "span");
  if (entity.type === "code") {
    element.title = "Click to copy";
    element.addEventListener("click", () => doing.copy(text));
  }
  return element;
}

function spoiler() {
  const hidden = document.createElement("span");
  hidden.className = "spoiler";
  hidden.tabIndex = 0;
  hidden.setAttribute("role", "button");
  const show = () => hidden.classList.add("shown");
  hidden.addEventListener("click", show);
  hidden.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") show(); });
  return hidden;
}

function button(name, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = name;
  element.addEventListener("click", act);
  return element;
}
