// Many streams over HTTP/2. `many_streams.mjs serve` is an upstream that answers with headers and never ends, until its
// standard input does; it prints its port. `many_streams.mjs open ORIGIN CONNECTIONS OTHER` opens a stream for each token of
// standard input, and one with the other token; prints a line when all are open, and one when all but the other have ended.
import { connect, createServer } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const say = message => console.log(JSON.stringify({ ...message, at: Date.now() / 1000 }));

function serve() {
  const server = createServer({ maxSessionMemory: 1000, settings: { maxConcurrentStreams: 20000 } });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/public') stream.end('x');
    else stream.write('x');
  });
  server.on('sessionError', () => {});
  process.stdin.on('end', () => process.exit(0)).resume();
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

async function open(origin, connections, other) {
  const tokens = (await text(process.stdin)).split('\n');
  const sessions = Array.from({ length: Number(connections) }, () => connect(origin));
  let goaways = 0;
  sessions.forEach(session => session.on('error', () => {}).on('goaway', () => (goaways += 1)));
  const of = (session, bearer) => {
    const request = session.request({ ':path': '/', ':authority': 'api.example.com', authorization: `Bearer ${bearer}` });
    request.on('data', () => {});
    request.on('error', () => {});
    return request;
  };
  const total = tokens.length;
  const codes = {};
  const statuses = {};
  let opened = 0;
  let ended = 0;
  let first;
  await new Promise(resolve => {
    const start = number => {
      const request = of(sessions[number % sessions.length], tokens[number]);
      request.on('response', headers => {
        statuses[headers[':status']] = (statuses[headers[':status']] ?? 0) + 1;
        opened += 1;
        if (opened === total) resolve();
      });
      request.on('close', () => {
        codes[request.rstCode] = (codes[request.rstCode] ?? 0) + 1;
        ended += 1;
        first ??= Date.now() / 1000;
      });
    };
    const begin = async () => {
      for (let number = 0; number < total; number += 1) {
        start(number);
        if (number % 100 === 99) await sleep(10);
      }
    };
    begin();
  });
  const stays = of(sessions[0], other);
  let isOver = false;
  stays.on('close', () => (isOver = true));
  say({ open: opened, statuses });
  while (ended < total) await sleep(5);
  say({ ended, codes, goaways, first, stays: !isOver });
  process.exit(0);
}

const [what, ...rest] = process.argv.slice(2);
await (what === 'serve' ? serve() : open(...rest));
