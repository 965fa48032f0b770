// One message as a list item: who, picture, text, buttons.

import { make } from "./asking.js";
import { link, write } from "./entities.js";
import { clock } from "./rows.js";

/**
 * The message as it stands now.
 * `view` is `{mine, named, topic}`; `doing` is what a person can do: `press(message, button, element)`, and what
 * `entities.write` asks for.
 */
export function messageItem(message, view, doing) {
  const item = make("li", `message ${view.mine ? "mine" : ""}`);
  item.dataset.id = message.message_id;
  if (message.service && Object.keys(message.service).length) {
    item.className = "message told";
    item.append(message.text);
    return item;
  }
  const bubble = make("div", "bubble");
  if (view.named) bubble.append(make("div", "who", view.topic ? `${message.name} in ${view.topic}` : message.name));
  if (message.photo) bubble.append(picture(message.photo));
  if (message.document) bubble.append(file(message.document));
  if (message.text) {
    const text = make("div", "text");
    write(text, message.text, message.entities, doing);
    bubble.append(text);
  }
  const said = clock(message.edited_at ?? message.date);
  bubble.append(make("div", "when", message.edits ? `edited ${said}` : said));
  item.append(bubble);
  if (message.buttons.length) item.append(keys(message, doing));
  return item;
}

function picture(photo) {
  const image = make("img");
  image.src = `/_sandbox/telegram/photos/${encodeURIComponent(photo.file_id)}`;
  image.width = photo.width;
  image.height = photo.height;
  image.alt = `picture ${photo.width}x${photo.height}`;
  return image;
}

function file(document_) {
  const anchor = make("a", "", `${document_.file_name} (${document_.file_size} bytes)`);
  anchor.href = `/_sandbox/telegram/documents/${encodeURIComponent(document_.file_id)}`;
  anchor.download = document_.file_name;
  return make("div", "text", anchor);
}

function keys(message, doing) {
  const rows = new Map();
  for (const button of message.buttons) {
    if (!rows.has(button.row)) rows.set(button.row, make("div"));
    rows.get(button.row).append(key(message, button, doing));
  }
  return make("div", "keys", ...rows.values());
}

function key(message, button, doing) {
  if (button.url !== null) {
    const anchor = link(button.url, doing.open);
    anchor.append(button.text);
    return anchor;
  }
  const element = make("button", button.style ?? "", button.text);
  element.type = "button";
  if (button.number !== null) element.addEventListener("click", () => doing.press(message, button, element));
  else if (button.copies !== null) element.addEventListener("click", () => doing.copy(button.copies));
  else element.disabled = true;
  return element;
}
