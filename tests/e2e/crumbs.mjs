// Sends a request with these cookies over HTTP/2, a line each: `URL COOKIE...`. Prints the status, and the cookies that the
// echoing upstream got.

import { connect } from "node:http2";

const [url, ...cookie] = process.argv.slice(2);
const session = connect(url);
const stream = session.request({ ":path": "/", "sec-fetch-site": "same-origin", cookie });
let status;
let text = "";
stream.on("response", (headers) => (status = headers[":status"]));
stream.on("data", (data) => (text += data));
stream.on("end", () => {
  const lines = status === 200 ? JSON.parse(text).headers : [];
  console.log(JSON.stringify({ status, cookies: lines.filter(([name]) => name === "cookie").map(([, value]) => value) }));
  session.close();
});
