// The curl command that is equivalent to the page's request.

/** Placeholder for the key, which is never shown. */
export const KEY_PLACEHOLDER = "$FCN_API_KEY";

const ENDINGS = { png: "-mask.png", json: ".json", overlay: "-overlay.png" };

/**
 * @param {string} fileName name of the image file
 * @param {string} address URL to which it is posted
 * @param {"png" | "json" | "overlay"} answer
 * @param {boolean} needsKey
 */
export function curlCommand(fileName, address, answer, needsKey) {
  const lines = [`curl -F ${formField(fileName)}`];
  if (needsKey) lines.push(`-H "X-API-Key: ${KEY_PLACEHOLDER}"`);
  lines.push(quoted(address), `-o ${quoted(`${stem(fileName)}${ENDINGS[answer]}`)}`);
  return lines.join(" \\\n  ");
}

/** A file name without its extension. */
export function stem(fileName) {
  return fileName.replace(/(?<=.)\.[^.]*$/, "");
}

function formField(fileName) {
  if (/^[\w.-]+$/.test(fileName)) return `image=@${fileName}`;
  // curl's own quotes within the shell's: without them a comma or semicolon would end the name.
  return quoted(`image=@"${fileName.replace(/["\\]/g, "\\$&")}"`);
}

function quoted(text) {
  return /^[\w.-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
