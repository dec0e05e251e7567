// Opens a stream for each token on one connection over HTTP/2: `open_streams_http2.mjs ORIGIN TOKEN...`. After `grpc:` the
// stream is a call of gRPC. Prints a line when a stream ends: which one, its status, the code of its reset, and the time.
import { connect } from 'node:http2';

const [origin, ...tokens] = process.argv.slice(2);
const session = connect(origin);
tokens.forEach((token, stream) => {
  const [, grpc, bare] = /^(grpc:)?(.*)$/.exec(token);
  const call = grpc ? { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' } : {};
  const request = session.request({ ':path': '/', ':authority': 'api.example.com', authorization: `Bearer ${bare}`, ...call });
  if (grpc) request.write(Buffer.from([0, 0, 0, 0, 0]));
  let status;
  let trailers;
  request.on('response', headers => (status = headers[':status']));
  request.on('trailers', headers => (trailers = headers['grpc-status']));
  request.on('data', () => {});
  request.on('error', () => {});
  request.on('close', () =>
    console.log(JSON.stringify({ stream, status, trailers, code: request.rstCode, at: Date.now() / 1000 })));
});
