// The picture on its stage: photograph, mask, or the mask over the photograph.

import { Crosshair } from "./crosshair.js";
import { Gestures } from "./gestures.js";
import { draw, shownSize } from "./photograph.js";
import { Viewport } from "./viewport.js";

const DIMMED = 40; // alpha, 0..255, of the classes other than the highlighted one
const PIXELS_ARE_SEEN_FROM = 2; // screen pixels per pixel of the picture

export class Viewer {
  #parts;
  #viewport;
  #crosshair;
  #onClass;
  #mask = null;
  #classes = [];
  #visible = new Set();
  #sought = null;
  #view = "overlay";
  #opacity = 1;

  /**
   * @param {{stage: HTMLElement, stack: HTMLElement, photo: HTMLCanvasElement, mask: HTMLCanvasElement,
   *   crosshair: HTMLElement}} parts
   * @param {(index: number | null, pixel: {x: number, y: number} | null) => void} onClass called with the class and
   *   pixel under the pointer
   * @param {(scale: number) => void} onZoom called with the number of screen pixels per pixel of the picture
   */
  constructor(parts, onClass, onZoom) {
    this.#parts = parts;
    this.#onClass = onClass;
    this.#viewport = new Viewport(parts.stage, () => {
      this.#place();
      onZoom(this.#viewport.scale);
    });
    const point = (place) => this.#pointAt(place);
    this.#crosshair = new Crosshair(parts.crosshair, parts.stage, this.#viewport, point);
    new Gestures(parts.stage, this.#viewport, point);
  }

  get hasPhotograph() {
    return this.#parts.stage.dataset.photograph === "yes";
  }

  /** Whether the canvas shows the picture at its full size. */
  get isWhole() {
    return this.#mask !== null && this.#parts.mask.width === this.#mask.width && this.#parts.mask.height === this.#mask.height;
  }

  /** Show a photograph whose mask is not known yet. */
  showPhotograph(bitmap) {
    this.clear();
    if (!bitmap) return;
    this.#lay(bitmap, bitmap.width, bitmap.height);
    this.#viewport.fit();
  }

  /**
   * Show a photograph and its mask.
   *
   * @param {ImageBitmap | null} bitmap
   * @param {import("./mask.js").Mask} mask
   * @param {{index: number, color: number[]}[]} classes the classes found
   * @param {Set<number>} visible indices of the visible classes
   */
  showMask(bitmap, mask, classes, visible) {
    Object.assign(this.#parts.mask, shownSize(mask.width, mask.height));
    this.#lay(bitmap, mask.width, mask.height);
    this.#mask = mask;
    this.#classes = classes;
    this.#crosshair.reset();
    this.setVisible(visible);
  }

  clear() {
    this.#mask = null;
    this.#sought = null;
    const { photo, mask, stage } = this.#parts;
    for (const canvas of [photo, mask]) Object.assign(canvas, { width: 1, height: 1 });
    stage.dataset.photograph = "no";
    this.#onClass(null, null);
  }

  setView(view, opacity) {
    this.#view = view;
    this.#opacity = opacity;
    this.#parts.photo.style.visibility = view === "mask" ? "hidden" : "visible";
    this.#parts.mask.style.visibility = view === "photograph" ? "hidden" : "visible";
    this.#parts.mask.style.opacity = view === "overlay" ? opacity : 1;
  }

  setVisible(indices) {
    this.#visible = indices;
    this.#paint();
  }

  /** Dim all classes but one; null for none. */
  seek(index) {
    if (index === this.#sought) return;
    this.#sought = index;
    this.#paint();
  }

  zoomBy(factor) {
    this.#viewport.zoomBy(factor);
  }

  fit() {
    this.#viewport.fit();
  }

  /** A PNG of the photograph under the visible classes, with the current opacity. */
  overlay() {
    const { photo, mask } = this.#parts;
    const canvas = Object.assign(document.createElement("canvas"), { width: photo.width, height: photo.height });
    const context = canvas.getContext("2d");
    context.drawImage(photo, 0, 0);
    context.globalAlpha = this.#opacity;
    this.seek(null);
    context.drawImage(mask, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  #lay(bitmap, width, height) {
    const { photo, stack, stage } = this.#parts;
    const size = shownSize(width, height);
    draw(photo, bitmap, size);
    stage.dataset.photograph = bitmap ? "yes" : "no";
    stage.style.aspectRatio = `${width} / ${height}`;
    Object.assign(stack.style, { width: `${size.width}px`, height: `${size.height}px` });
    this.#viewport.resize(width, height);
    this.#place();
  }

  #paint() {
    if (!this.#mask) return;
    const bytes = new Uint8ClampedArray(4 * 256);
    for (const { index, color } of this.#classes) {
      if (!this.#visible.has(index)) continue;
      const alpha = this.#sought === null || this.#sought === index ? 255 : DIMMED;
      bytes.set([...color, alpha], 4 * index);
    }
    this.#mask.paint(this.#parts.mask, new Uint32Array(bytes.buffer));
  }

  #place() {
    const { stack, photo, stage } = this.#parts;
    const { x, y, scale, width, isZoomed } = this.#viewport;
    const shown = (scale * width) / photo.width;
    stack.style.transform = `translate(${x}px, ${y}px) scale(${shown})`;
    stack.classList.toggle("is-coarse", shown >= PIXELS_ARE_SEEN_FROM);
    stage.classList.toggle("is-zoomed", isZoomed);
    this.#crosshair?.place();
  }

  #pointAt(place) {
    const pixel = place && this.#mask ? this.#viewport.toPixel(place) : null;
    this.#onClass(pixel && this.#mask.at(pixel.x, pixel.y), pixel);
  }
}
