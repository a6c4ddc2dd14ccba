// The class of every pixel, read from the service's PNG as numbers. A canvas would take four times the memory, and
// browsers refuse canvases of a hundred megapixels.

const SIGNATURE_BYTES = 8;
const NO_FILTER = 0;
const UP_FILTER = 2;
const ROWS_AT_ONCE = 256;

export class Mask {
  /**
   * @param {number} width
   * @param {number} height
   * @param {Uint8Array} indices of the classes, row after row
   */
  constructor(width, height, indices) {
    Object.assign(this, { width, height, indices });
  }

  /**
   * Reads a PNG of one byte per pixel whose rows are unfiltered, or differences from the row above.
   *
   * @param {Uint8Array} png
   */
  static async read(png) {
    const { width, height, parts } = chunks(png);
    const rows = new RowReader(width, height);
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
    const reader = stream.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) rows.take(part.value);
    return new Mask(width, height, rows.whole());
  }

  /** The class of a pixel. */
  at(x, y) {
    return this.indices[y * this.width + x];
  }

  /**
   * Paints the mask over the whole canvas, which may be smaller.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {Uint32Array} colors RGBA of each index, in the machine's byte order
   */
  paint(canvas, colors) {
    const context = canvas.getContext("2d");
    const columns = nearest(canvas.width, this.width);
    const lines = nearest(canvas.height, this.height);
    for (let top = 0; top < lines.length; top += ROWS_AT_ONCE) {
      const band = lines.subarray(top, top + ROWS_AT_ONCE);
      context.putImageData(this.#painted(band, columns, colors), 0, top);
    }
  }

  #painted(lines, columns, colors) {
    const image = new ImageData(columns.length, lines.length);
    const pixels = new Uint32Array(image.data.buffer);
    let to = 0;
    for (const line of lines) {
      const from = line * this.width;
      for (let column = 0; column < columns.length; column++) pixels[to++] = colors[this.indices[from + columns[column]]];
    }
    return image;
  }
}

/** Reverses the filters of a PNG's rows, which arrive in chunks of any length. */
class RowReader {
  #width;
  #indices;
  #filled = 0;
  #left = 0; // bytes left of the current row
  #filter = NO_FILTER;

  constructor(width, height) {
    this.#width = width;
    this.#indices = new Uint8Array(width * height);
  }

  take(part) {
    for (let at = 0; at < part.length; ) {
      if (this.#left === 0) this.#begin(part[at++]);
      const end = Math.min(part.length, at + this.#left);
      this.#left -= end - at;
      this.#fill(part, at, end);
      at = end;
    }
  }

  whole() {
    if (this.#filled !== this.#indices.length) throw new Error("The mask ends before its last row.");
    return this.#indices;
  }

  #begin(filter) {
    if (filter !== NO_FILTER && filter !== UP_FILTER) throw new Error(`The mask has rows with the filter ${filter}.`);
    this.#filter = this.#filled ? filter : NO_FILTER; // there is nothing above the first row
    this.#left = this.#width;
  }

  #fill(part, at, end) {
    const indices = this.#indices;
    let to = this.#filled;
    if (this.#filter === NO_FILTER) indices.set(part.subarray(at, end), to);
    else for (let above = to - this.#width, from = at; from < end; ) indices[to++] = indices[above++] + part[from++];
    this.#filled += end - at;
  }
}

function chunks(png) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const found = { width: 0, height: 0, parts: [] };
  for (let at = SIGNATURE_BYTES; at < png.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...png.subarray(at + 4, at + 8));
    const content = png.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") Object.assign(found, { width: view.getUint32(at + 8), height: view.getUint32(at + 12) });
    if (kind === "IDAT") found.parts.push(content);
    at += length + 12;
  }
  return found;
}

function nearest(count, of) {
  return Uint32Array.from({ length: count }, (_, position) => Math.floor(((position + 0.5) * of) / count));
}
