// Node's own fetch, which is undici.
import { readFile } from "node:fs/promises";

const [url, file] = process.argv.slice(2);
const form = new FormData();
form.append("image", new Blob([await readFile(file)]));
form.append("format", "json");
console.log(await (await fetch(url, { method: "POST", body: form })).text());
