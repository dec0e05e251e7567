// Clients that sign what they send, before a gate: `signed_client.mjs GATE KEY_ID SECRET`. It prints what each was answered,
// as JSON. Over HTTP/1.1 and, where the name says so, over HTTP/2.
import http from 'node:http';
import http2 from 'node:http2';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [gate, keyId, secret] = process.argv.slice(2);
const packages = createRequire(path.join(process.env.PACKAGES, 'x.js'));
const load = (name) => import(pathToFileURL(packages.resolve(name)));
const aws4 = (await load('aws4')).default;
const { SignatureV4 } = await load('@smithy/signature-v4');
const { httpbis } = await load('http-message-signatures');
const { host } = new URL(gate);
const [hostname, port] = host.split(':');

const told = (status, text) => {
  const body = status === 200 ? JSON.parse(text) : undefined;
  return { status, detail: status === 200 ? null : (text.startsWith('{') ? JSON.parse(text).detail : text), seen: body && Object.fromEntries(body.headers) };
};

const overHttp1 = ({ method, path, headers, body = '' }) => new Promise((resolve, reject) => {
  const request = http.request({ host: hostname, port, method, path, headers: { ...headers, ...(body ? { 'content-length': Buffer.byteLength(body) } : {}) } }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part)).on('end', () => resolve(told(response.statusCode, Buffer.concat(parts).toString())));
  });
  request.on('error', reject);
  request.end(body);
});

const overHttp2 = ({ method, path, headers, body = '' }) => new Promise((resolve, reject) => {
  const session = http2.connect(gate);
  session.on('error', reject);
  const { host: authority, Host, ...rest } = headers;
  const stream = session.request({ ':method': method, ':path': path, ':authority': authority ?? Host ?? host, ...rest }, { endStream: !body });
  let status;
  const parts = [];
  stream.on('response', (answered) => { status = answered[':status']; });
  stream.on('data', (part) => parts.push(part)).on('error', reject);
  stream.on('end', () => { session.close(); resolve(told(status, Buffer.concat(parts).toString())); });
  if (body) stream.end(body);
});

const sha256 = class {
  constructor(key) { this.hash = key === undefined ? createHash('sha256') : createHmac('sha256', Buffer.from(key)); }
  update(data) { this.hash.update(typeof data === 'string' ? data : Buffer.from(data)); }
  async digest() { return new Uint8Array(this.hash.digest()); }
};

const withAws4 = (method, path, body) => {
  const options = { host, path, method, service: 'orders', region: 'eu-west-1', headers: {}, ...(body ? { body } : {}) };
  aws4.sign(options, { accessKeyId: keyId, secretAccessKey: secret });
  return { method, path, headers: options.headers, body };
};

const withSmithy = async (method, path, query, body) => {
  const signer = new SignatureV4({ service: 'orders', region: 'eu-west-1', sha256, credentials: { accessKeyId: keyId, secretAccessKey: secret } });
  const signed = await signer.sign({ method, protocol: 'http:', hostname, port: Number(port), path, query, headers: { host, 'content-type': 'application/json' }, body });
  const text = Object.entries(query).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).sort().join('&');
  return { method, path: text ? `${path}?${text}` : path, headers: signed.headers, body };
};

const withMessage = async (method, path, body, more = {}) => {
  const headers = { host, ...(body ? { 'content-digest': `sha-512=:${createHash('sha512').update(body).digest('base64')}:` } : {}) };
  const key = { id: 'partner', alg: 'hmac-sha256', sign: async (data) => createHmac('sha256', `${secret}-bank`).update(data).digest() };
  const signed = await httpbis.signMessage({
    key, name: 'sig1', fields: ['@method', '@authority', '@path', '@query', ...(body ? ['content-digest'] : [])],
    params: ['created', 'keyid', 'alg', 'nonce'], paramValues: { nonce: randomBytes(12).toString('base64url'), ...more },
  }, { method, url: `${gate}${path}`, headers });
  return { method, path, headers: signed.headers, body };
};

const said = {};
for (const [version, send] of [['1.1', overHttp1], ['2', overHttp2]]) {
  said[`aws4 get over ${version}`] = await send(withAws4('GET', '/orders/1?a=1&b=2'));
  said[`aws4 post over ${version}`] = await send(withAws4('POST', `/orders/${version}`, '{"qty":2}'));
  said[`smithy get over ${version}`] = await send(await withSmithy('GET', '/orders/1', { a: '1', b: 'x y' }));
  said[`smithy post over ${version}`] = await send(await withSmithy('POST', `/orders/smithy/${version}`, {}, '{"qty":2}'));
  said[`message over ${version}`] = await send(await withMessage('GET', '/messages?a=1'));
  said[`message with a body over ${version}`] = await send(await withMessage('POST', '/messages', '{"qty":2}'));
  const other = await withMessage('POST', '/messages', '{"qty":2}');
  said[`another body over ${version}`] = await send({ ...other, body: '{"qty":3}' });
  const aws = withAws4('POST', `/orders/other/${version}`, '{"qty":2}');
  said[`aws4 with another body over ${version}`] = await send({ ...aws, body: '{"qty":3}' });
}
console.log(JSON.stringify(said));
