// Keyboard control: points at the picture, and moves and zooms it.

const STEP = 12; // screen pixels, but at least one pixel of the picture
const ZOOM = 1.4;

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Crosshair {
  #element;
  #stage;
  #viewport;
  #point;
  #pixel = null;

  /**
   * @param {HTMLElement} element shows the position
   * @param {HTMLElement} stage receives the keyboard focus
   * @param {import("./viewport.js").Viewport} viewport
   * @param {(point: {x: number, y: number} | null) => void} point called with the crosshair's place on the stage
   */
  constructor(element, stage, viewport, point) {
    this.#element = element;
    this.#stage = stage;
    this.#viewport = viewport;
    this.#point = point;
    stage.addEventListener("keydown", (event) => this.#key(event));
    stage.addEventListener("focus", () => stage.matches(":focus-visible") && this.#show());
    stage.addEventListener("blur", () => this.hide());
    stage.addEventListener("pointerdown", () => this.hide());
  }

  hide() {
    this.#element.hidden = true;
  }

  /** Return to the middle, for another picture. */
  reset() {
    this.#pixel = null;
    if (!this.#element.hidden) this.#show();
  }

  /** Follow the picture after it has moved. */
  place() {
    if (this.#element.hidden) return;
    const { x, y } = this.#viewport.toStage(this.#pixel);
    Object.assign(this.#element.style, { left: `${x}px`, top: `${y}px` });
  }

  #show() {
    const { width, height } = this.#viewport;
    this.#pixel ??= { x: Math.floor(width / 2), y: Math.floor(height / 2) };
    this.#element.hidden = false;
    this.#viewport.reveal(this.#pixel);
    this.#point(this.#viewport.toStage(this.#pixel));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#act(event)) return;
    event.preventDefault();
  }

  /** Handle a key; returns whether it has a meaning here. */
  #act({ key, shiftKey }) {
    const viewport = this.#viewport;
    const around = () => (this.#element.hidden ? viewport.center : viewport.toStage(this.#pixel));
    if (key in ARROWS) this.#arrow(ARROWS[key], shiftKey);
    else if (key === "+" || key === "=") viewport.zoomBy(ZOOM, around());
    else if (key === "-") viewport.zoomBy(1 / ZOOM, around());
    else if (key === "0") viewport.fit();
    else if (key === "1") viewport.zoomBy(1 / viewport.scale, around());
    else return false;
    return true;
  }

  #arrow([right, down], moves) {
    const viewport = this.#viewport;
    if (moves) {
      viewport.moveBy((-right * this.#stage.clientWidth) / 4, (-down * this.#stage.clientHeight) / 4);
      return;
    }
    const step = Math.max(1, Math.round(STEP / viewport.scale));
    const { x, y } = this.#pixel ?? viewport.toPixel(viewport.center) ?? { x: 0, y: 0 };
    this.#pixel = {
      x: Math.min(viewport.width - 1, Math.max(0, x + right * step)),
      y: Math.min(viewport.height - 1, Math.max(0, y + down * step)),
    };
    this.#show();
  }
}
