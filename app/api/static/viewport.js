// The position and scale of the picture on the stage.

const MAX_SCALE = 40;

export class Viewport {
  #stage;
  #moved;
  #isFitted = true;

  /**
   * @param {HTMLElement} stage
   * @param {() => void} moved called when the picture's position or size changes
   */
  constructor(stage, moved) {
    this.#stage = stage;
    this.#moved = moved;
    Object.assign(this, { width: 1, height: 1, scale: 1, x: 0, y: 0 });
    new ResizeObserver(() => (this.#isFitted ? this.fit() : this.moveBy(0, 0))).observe(stage);
  }

  /** Whether the picture is larger than its fitted size. */
  get isZoomed() {
    return this.scale > this.#fitScale * 1.001;
  }

  get center() {
    return { x: this.#stage.clientWidth / 2, y: this.#stage.clientHeight / 2 };
  }

  /** Set the picture's size in its own pixels. */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    Object.assign(this, { width, height });
    this.fit();
  }

  /** Fit the whole picture into the stage. */
  fit() {
    this.scale = this.#fitScale;
    this.moveBy(0, 0);
    this.#isFitted = true;
  }

  /** Zoom around a fixed point of the stage. */
  zoomBy(factor, point = this.center) {
    const least = Math.min(1, this.#fitScale);
    const scale = Math.min(Math.max(this.scale * factor, least), Math.max(MAX_SCALE, this.#fitScale));
    this.x = point.x - ((point.x - this.x) * scale) / this.scale;
    this.y = point.y - ((point.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.moveBy(0, 0);
  }

  /** Move by screen pixels; the picture's edges stay at or beyond the stage's. */
  moveBy(x, y) {
    this.#isFitted = false;
    this.x = held(this.x + x, this.width * this.scale, this.#stage.clientWidth);
    this.y = held(this.y + y, this.height * this.scale, this.#stage.clientHeight);
    this.#moved();
  }

  /** Move until a pixel of the picture is visible. */
  reveal({ x, y }) {
    const point = this.toStage({ x, y });
    const margin = 24;
    const { clientWidth, clientHeight } = this.#stage;
    this.moveBy(lacking(point.x, margin, clientWidth - margin), lacking(point.y, margin, clientHeight - margin));
  }

  /** The centre of a pixel as a point of the stage. */
  toStage({ x, y }) {
    return { x: this.x + (x + 0.5) * this.scale, y: this.y + (y + 0.5) * this.scale };
  }

  /** The pixel at a point of the stage; null outside the picture. */
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
