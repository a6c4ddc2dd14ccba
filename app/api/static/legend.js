// The classes found: colour, name, share, and whether they are shown.

export class Legend {
  #list;
  #all;
  #onVisible;
  #onSeek;
  #entries = new Map();

  /**
   * @param {HTMLUListElement} list
   * @param {HTMLButtonElement} all shows all classes, or hides them
   * @param {(indices: Set<number>) => void} onVisible called with the indices of the visible classes
   * @param {(index: number | null) => void} onSeek called with the index of the class to highlight
   */
  constructor(list, all, onVisible, onSeek) {
    this.#list = list;
    this.#all = all;
    this.#onVisible = onVisible;
    this.#onSeek = onSeek;
    list.addEventListener("change", () => this.#changed());
    all.addEventListener("click", () => this.#setAll());
  }

  /** Show the classes of a result, the largest first; background is hidden at first, as in the service's overlays. */
  show(classes) {
    this.#entries.clear();
    const ordered = classes.toSorted((one, other) => other.pixels - one.pixels);
    for (const found of ordered) this.#entries.set(found.index, this.#entry(found));
    this.#list.replaceChildren(...[...this.#entries.values()].map(({ item }) => item));
    this.#tellAll();
  }

  /** Indices of the visible classes. */
  get visible() {
    return new Set([...this.#entries].filter(([, { box }]) => box.checked).map(([index]) => index));
  }

  /** Mark the class under the pointer; null for none. */
  mark(index) {
    for (const [own, { item }] of this.#entries) item.classList.toggle("is-under", own === index);
  }

  #entry({ index, name, color, fraction }) {
    const item = document.createElement("li");
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: name !== "background" });
    label.append(box, swatch(color), text("name", name), text("share", percent(fraction)), bar(fraction));
    item.append(label);
    item.addEventListener("pointerenter", () => this.#seek(index, box));
    item.addEventListener("pointerleave", () => this.#onSeek(null));
    box.addEventListener("focus", () => box.matches(":focus-visible") && this.#seek(index, box));
    box.addEventListener("blur", () => this.#onSeek(null));
    return { item, box };
  }

  #seek(index, box) {
    if (box.checked) this.#onSeek(index);
  }

  #changed() {
    this.#onSeek(null);
    this.#onVisible(this.visible);
    this.#tellAll();
  }

  #setAll() {
    const on = this.visible.size < this.#entries.size;
    for (const { box } of this.#entries.values()) box.checked = on;
    this.#changed();
  }

  #tellAll() {
    this.#all.textContent = this.visible.size < this.#entries.size ? "Show all" : "Hide all";
  }
}

/** A small square in a class's colour. */
export function swatch(color) {
  const square = text("swatch", "");
  square.style.background = `rgb(${color})`;
  return square;
}

/** A share of 0..1 as a percentage. */
export function percent(fraction) {
  return fraction < 0.001 ? "< 0.1 %" : `${(100 * fraction).toFixed(1)} %`;
}

function bar(fraction) {
  const track = text("track", "");
  const filled = text("bar", "");
  filled.style.width = `${100 * fraction}%`;
  track.append(filled);
  return track;
}

function text(className, textContent) {
  return Object.assign(document.createElement("span"), { className, textContent });
}
