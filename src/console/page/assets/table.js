/** A table whose rows stay as long as what they show, so that focus and selection stay, too. */

import { el, setAttribute, setText } from "./dom.js";

export class Table {
  element;
  #columns;
  #body = el("tbody");
  #table;
  #nothing;
  #rows = new Map();

  /**
   * `columns` are `{ head, text, className, title, number }`, where `text`, `title` and `className` get the item; or
   * `{ head, button, act }` with a button in each row. `nothing` stands in the place of no rows.
   */
  constructor(caption, columns, nothing) {
    this.#columns = columns;
    const heads = columns.map(({ head, number }) => el("th", { scope: "col", class: number && "number" }, head));
    this.#table = el(
      "table",
      {},
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, ...heads)),
      this.#body,
    );
    this.#nothing = el("p", { class: "nothing" }, nothing);
    const scroll = el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `${caption}, a table` },
      this.#table,
    );
    this.element = el("div", {}, scroll, this.#nothing);
  }

  /** Shows items; `key` tells them apart. */
  show(items, key) {
    const rows = new Map();
    for (const item of items) {
      const id = key(item);
      const row = this.#rows.get(id) ?? this.#row();
      this.#fill(row, item);
      rows.set(id, row);
    }
    for (const [id, row] of this.#rows) if (!rows.has(id)) row.element.remove();
    let at = this.#body.firstChild;
    for (const { element } of rows.values()) {
      if (element === at) at = at.nextSibling;
      else this.#body.insertBefore(element, at);
    }
    this.#rows = rows;
    this.#table.parentElement.hidden = rows.size === 0;
    this.#nothing.hidden = rows.size > 0;
  }

  #row() {
    const row = { element: el("tr"), cells: [], item: undefined };
    for (const { button, act, number } of this.#columns) {
      const cell = el("td", { class: number && "number" });
      if (button) cell.append(el("button", { type: "button", onclick: () => act(row.item) }, button));
      row.cells.push(cell);
    }
    row.element.append(...row.cells);
    return row;
  }

  #fill(row, item) {
    row.item = item;
    this.#columns.forEach(({ text, title, className, number, button, label }, at) => {
      const cell = row.cells[at];
      if (button) {
        setAttribute(cell.firstChild, "aria-label", label(item));
        return;
      }
      setText(cell, text(item));
      setAttribute(cell, "title", title?.(item));
      if (className) setAttribute(cell, "class", [number && "number", className(item)].filter(Boolean).join(" "));
    });
  }
}
