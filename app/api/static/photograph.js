// The image as the browser shows it.

// Some browsers refuse larger canvases, and phones run out of memory.
const MAX_SHOWN_PIXELS = 16_000_000;
const MAX_SHOWN_SIDE = 8192;

/** Decodes an image file; null for formats that the service reads but the browser does not (TIFF, HEIC). */
export function decode(file) {
  return createImageBitmap(file).catch(() => null);
}

/** The size at which an image is shown: its own, or a smaller one. */
export function shownSize(width, height) {
  const scale = Math.min(1, MAX_SHOWN_SIDE / Math.max(width, height), Math.sqrt(MAX_SHOWN_PIXELS / (width * height)));
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/** Draws a picture over the whole canvas, on white like the service; without a picture the canvas stays clear. */
export function draw(canvas, bitmap, size) {
  Object.assign(canvas, size);
  if (!bitmap) return;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
}
