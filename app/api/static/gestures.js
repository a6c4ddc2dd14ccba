// Handles wheel, mouse, pen and touch on the stage.

const PIXELS_OF_A_LINE = 16;
const LEAST_MOVE = 3; // pixels; less is a click

export class Gestures {
  #stage;
  #viewport;
  #point;
  #pointers = new Map();
  #moved = 0;

  /**
   * @param {HTMLElement} stage
   * @param {import("./viewport.js").Viewport} viewport
   * @param {(point: {x: number, y: number} | null) => void} point called with the pointer's place on the stage
   */
  constructor(stage, viewport, point) {
    this.#stage = stage;
    this.#viewport = viewport;
    this.#point = point;
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => viewport.zoomBy(2, this.#place(event)));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, (event) => this.#up(event));
    stage.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(null));
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? PIXELS_OF_A_LINE : 1);
    const speed = event.ctrlKey ? 0.01 : 0.002; // a pinch on a touchpad comes with ctrlKey and small steps
    this.#viewport.zoomBy(Math.exp(-Math.max(-300, Math.min(300, pixels)) * speed), this.#place(event));
    this.#point(this.#place(event));
  }

  #down(event) {
    if (event.button > 0) return;
    this.#stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#place(event));
    this.#moved = 0;
    this.#point(this.#place(event));
  }

  #move(event) {
    const place = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (before) {
      const spreadBefore = this.#spread();
      this.#pointers.set(event.pointerId, place);
      this.#drag(before, place, spreadBefore);
    }
    this.#point(place);
  }

  #drag(before, place, spreadBefore) {
    const share = 1 / this.#pointers.size; // two fingers that move alike move the picture once
    this.#moved += Math.hypot(place.x - before.x, place.y - before.y);
    if (this.#moved < LEAST_MOVE) return;
    this.#stage.classList.add("is-moving");
    this.#viewport.moveBy((place.x - before.x) * share, (place.y - before.y) * share);
    const spread = this.#spread();
    if (spread && spreadBefore) this.#viewport.zoomBy(spread / spreadBefore, this.#middle());
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    if (!this.#pointers.size) this.#stage.classList.remove("is-moving");
  }

  #place(event) {
    const { left, top } = this.#stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /** Distance between two fingers; 0 unless there are two. */
  #spread() {
    if (this.#pointers.size !== 2) return 0;
    const [one, other] = this.#pointers.values();
    return Math.hypot(one.x - other.x, one.y - other.y);
  }

  #middle() {
    const [one, other] = this.#pointers.values();
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
  }
}
