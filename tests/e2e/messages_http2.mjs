// Sends bodies to /mcp over HTTP/2 and prints the status and the type of each answer: `messages_http2.mjs ORIGIN AUTHORIZATION`.
// Each line of the input is a body in base64url, which goes out in two frames.
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';

const [origin, authorization] = process.argv.slice(2);
const session = connect(origin);
const ask = body =>
  new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/mcp',
      ':authority': 'api.example.com',
      'content-type': 'application/json',
      authorization,
    });
    let told;
    stream.on('response', headers => (told = { status: headers[':status'], type: headers['content-type'] }));
    stream.on('data', () => {});
    stream.on('end', () => resolve(told));
    // An answer that comes before the end of the body resets the rest of it.
    stream.on('error', error => (told ? resolve(told) : reject(error)));
    const half = body.length >> 1;
    stream.write(body.subarray(0, half));
    setTimeout(() => stream.end(body.subarray(half)), 2);
  });

for (const line of readFileSync(0, 'utf8').trimEnd().split('\n')) {
  console.log(JSON.stringify(await ask(Buffer.from(line, 'base64url'))));
}
session.close();
