// Opens a stream for each token on one connection over HTTP/2: `open_streams_http2.mjs ORIGIN TOKEN...`. Prints a line
// when a stream ends: which one, its status, the code of its reset, and the time.
import { connect } from 'node:http2';

const [origin, ...tokens] = process.argv.slice(2);
const session = connect(origin);
tokens.forEach((token, stream) => {
  const request = session.request({ ':path': '/', ':authority': 'api.example.com', authorization: `Bearer ${token}` });
  let status;
  request.on('response', headers => (status = headers[':status']));
  request.on('data', () => {});
  request.on('error', () => {});
  request.on('close', () => console.log(JSON.stringify({ stream, status, code: request.rstCode, at: Date.now() / 1000 })));
});
