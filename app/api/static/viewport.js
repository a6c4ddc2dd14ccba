// Where on the stage the picture lies, and how large.

const MAX_SCALE = 40;

export class Viewport {
  #stage;
  #moved;
  #isFitted = true;

  /**
   * @param {HTMLElement} stage
   * @param {() => void} moved is called when the picture lies elsewhere, or is of another size
   */
  constructor(stage, moved) {
    this.#stage = stage;
    this.#moved = moved;
    Object.assign(this, { width: 1, height: 1, scale: 1, x: 0, y: 0 });
    new ResizeObserver(() => (this.#isFitted ? this.fit() : this.moveBy(0, 0))).observe(stage);
  }

  /** Whether the picture is larger than in its first size. */
  get isZoomed() {
    return this.scale > this.#fitScale * 1.001;
  }

  get center() {
    return { x: this.#stage.clientWidth / 2, y: this.#stage.clientHeight / 2 };
  }

  /** Take a picture of another size, in its own pixels. */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    Object.assign(this, { width, height });
    this.fit();
  }

  /** Show all of it. */
  fit() {
    this.scale = this.#fitScale;
    this.moveBy(0, 0);
    this.#isFitted = true;
  }

  /** Zoom; a point of the stage stays where it is. */
  zoomBy(factor, point = this.center) {
    const least = Math.min(1, this.#fitScale);
    const scale = Math.min(Math.max(this.scale * factor, least), Math.max(MAX_SCALE, this.#fitScale));
    this.x = point.x - ((point.x - this.x) * scale) / this.scale;
    this.y = point.y - ((point.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.moveBy(0, 0);
  }

  /** Move by pixels of the screen; no edge leaves the stage's edge. */
  moveBy(x, y) {
    this.#isFitted = false;
    this.x = held(this.x + x, this.width * this.scale, this.#stage.clientWidth);
    this.y = held(this.y + y, this.height * this.scale, this.#stage.clientHeight);
    this.#moved();
  }

  /** Move until a pixel of the picture can be seen. */
  reveal({ x, y }) {
    const point = this.toStage({ x, y });
    const margin = 24;
    const { clientWidth, clientHeight } = this.#stage;
    this.moveBy(lacking(point.x, margin, clientWidth - margin), lacking(point.y, margin, clientHeight - margin));
  }

  /** The point of the stage at which the middle of a pixel lies. */
  toStage({ x, y }) {
    return { x: this.x + (x + 0.5) * this.scale, y: this.y + (y + 0.5) * this.scale };
  }

  /** The pixel at a point of the stage; null beside the picture. */
  toPixel(point) {
    const x = Math.floor((point.x - this.x) / this.scale);
    const y = Math.floor((point.y - this.y) / this.scale);
    return x >= 0 && y >= 0 && x < this.width && y < this.height ? { x, y } : null;
  }

  get #fitScale() {
    const { clientWidth, clientHeight } = this.#stage;
    return Math.min(clientWidth / this.width, clientHeight / this.height, MAX_SCALE) || 1;
  }
}

function held(position, length, room) {
  if (length <= room) return (room - length) / 2;
  return Math.min(0, Math.max(room - length, position));
}

function lacking(position, least, most) {
  return Math.max(0, least - position) + Math.min(0, most - position);
}
