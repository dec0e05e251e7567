// Receives logs by OTLP over gRPC (opentelemetry.proto.collector.logs.v1.LogsService/Export) and prints each log record as a
// line of JSON: its body, its attributes, and those of its resource. The first line is the port.
import { createServer } from 'node:http2';

// The fields of a protobuf message: [number, bytes] of those that have a length; others are skipped.
const fields = function* (bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag % 8 === 2) {
      const length = varint();
      yield [tag >> 3, bytes.subarray(at, at + length)];
      at += length;
    } else if (tag % 8 === 0) varint();
    else at += tag % 8 === 1 ? 8 : 4;
  }
};
const all = (message, number) => [...fields(message)].filter(([own]) => own === number).map(([, bytes]) => bytes);
// AnyValue.string_value
const text = value => value && all(value, 1)[0]?.toString();
// repeated KeyValue
const pairs = (message, number) => Object.fromEntries(all(message, number).map(pair => [text(pair), text(all(pair, 2)[0])]));

const print = request => {
  for (const ofResource of all(request, 1)) {
    const resource = Object.assign({}, ...all(ofResource, 1).map(resource => pairs(resource, 1)));
    for (const record of all(ofResource, 2).flatMap(scope => all(scope, 2))) {
      console.log(JSON.stringify({ resource, body: text(all(record, 5)[0]), attributes: pairs(record, 6) }));
    }
  }
};

const server = createServer();
server.on('stream', (stream, headers) => {
  const parts = [];
  stream.on('data', part => parts.push(part));
  stream.on('end', () => {
    if (headers[':path'] !== '/opentelemetry.proto.collector.logs.v1.LogsService/Export') throw new Error(headers[':path']);
    // A message of gRPC: not compressed, its length, and the message.
    const sent = Buffer.concat(parts);
    print(sent.subarray(5, 5 + sent.readUInt32BE(1)));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
