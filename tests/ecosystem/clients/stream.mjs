// The bytes themselves from Node, as a stream: in chunks, and without a Content-Type.
import { openAsBlob } from "node:fs";

const [url, file] = process.argv.slice(2);
const body = (await openAsBlob(file)).stream();
console.log(await (await fetch(`${url}?format=json`, { method: "POST", body, duplex: "half" })).text());
