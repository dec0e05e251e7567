// Reads messages as a server in JavaScript does: base64url of one in each line, to [method, names, version].
import { readFileSync } from 'node:fs';

const names = ({ method, params = {} }) => {
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return [params.name];
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return [params.uri];
    case 'completion/complete':
      return [params.ref.type === 'ref/prompt' ? params.ref.name : params.ref.uri];
    case 'subscriptions/listen':
      return params.notifications?.resourceSubscriptions ?? [];
    case 'tasks/get':
    case 'tasks/update':
    case 'tasks/cancel':
      return [params.taskId];
    default:
      return [];
  }
};

const lines = readFileSync(0, 'utf8').trim().split('\n');
const answers = lines.map(line => {
  const message = JSON.parse(Buffer.from(line, 'base64url').toString('utf8'));
  const version = message.params?._meta?.['io.modelcontextprotocol/protocolVersion'];
  return JSON.stringify([message.method ?? null, names(message), version ?? null]);
});
process.stdout.write(answers.join('\n') + '\n');
