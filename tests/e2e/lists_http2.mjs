// Sends one body to /mcp over HTTP/2 and prints the body of the answer: `lists_http2.mjs ORIGIN AUTHORIZATION BODY`.
import { connect } from 'node:http2';

const [origin, authorization, body] = process.argv.slice(2);
const session = connect(origin);
const stream = session.request({
  ':method': 'POST',
  ':path': '/mcp',
  ':authority': 'api.example.com',
  'content-type': 'application/json',
  authorization,
});
stream.on('data', data => process.stdout.write(data));
stream.on('end', () => session.close());
stream.end(body);
