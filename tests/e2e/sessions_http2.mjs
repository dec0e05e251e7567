// Sends requests to /mcp over HTTP/2 and prints the status and the session ids of each answer: `sessions_http2.mjs ORIGIN`. Each
// line of the input is an object with the method, the headers and the body of one.
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';

const session = connect(process.argv[2]);
const ask = ({ method, headers, body }) =>
  new Promise((resolve, reject) => {
    const path = { ':method': method, ':path': '/mcp', ':authority': 'api.example.com' };
    const stream = session.request({ ...path, ...headers }, { endStream: body === '' });
    let told;
    stream.on('response', headers => (told = { status: headers[':status'], session: headers['mcp-session-id'] ?? null }));
    stream.on('data', () => {});
    stream.on('end', () => resolve(told));
    // An answer that comes before the end of the body resets the rest of it.
    stream.on('error', error => (told ? resolve(told) : reject(error)));
    if (body !== '') stream.end(body);
  });

for (const line of readFileSync(0, 'utf8').trimEnd().split('\n')) {
  console.log(JSON.stringify(await ask(JSON.parse(line))));
}
session.close();
