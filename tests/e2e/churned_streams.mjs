// Opens streams over HTTP/2 and closes some of them, as a plan on standard input says: `churned_streams.mjs ORIGIN
// CONNECTIONS`. The plan is a list of { token, opens, leaves }: when the stream opens and when the client closes it, in
// milliseconds from now on; without `leaves` it stays until the server ends it. Prints a line when a stream ends: which one,
// its status, whether the client closed it, the code of its reset, and the time in milliseconds. Ends when all have.
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';

const [origin, connections] = process.argv.slice(2);
const plan = JSON.parse(await text(process.stdin));
const sessions = Array.from({ length: Number(connections) }, () => connect(origin));
sessions.forEach(session => session.on('error', error => console.error('connection:', error.message)));
sessions.forEach(session => session.on('goaway', code => console.error('goaway:', code)));
const start = Date.now();
let open = plan.length;
plan.forEach(({ token, opens, leaves }, stream) => setTimeout(() => {
  const request = sessions[stream % sessions.length].request({
    ':path': '/', ':authority': 'api.example.com', authorization: `Bearer ${token}`,
  });
  let status;
  let left = false;
  request.on('response', headers => (status = headers[':status']));
  request.on('data', () => {});
  request.on('error', () => {});
  request.on('close', () => {
    console.log(JSON.stringify({ stream, status, left, code: request.rstCode, at: Date.now() - start }));
    open -= 1;
    if (open === 0) sessions.forEach(session => session.close());
  });
  if (leaves !== undefined) {
    setTimeout(() => {
      if (request.closed || request.destroyed) return;
      left = true;
      request.close(8);
    }, leaves - opens);
  }
}, opens));
