// Sends HL7 messages with node-hl7-client over one connection, each when the one before it is acknowledged.
// Usage: node node_hl7_client.mjs PORT; standard input: a JSON array of messages; output: a JSON array of replies.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(import.meta.url);
const { Client, Message } = require('node-hl7-client');

const REPLY_MS = 15000;

let take; // the reply that is waited for
const client = new Client({ host: '127.0.0.1' });
const connection = client.createConnection({ port: Number(process.argv[2]), waitAck: true }, async (response) => {
  take(response.getMessage().toString());
});
connection.on('error', (error) => {
  console.error(String(error));
  process.exit(1);
});

const replies = [];
for (const text of JSON.parse(readFileSync(0, 'utf8'))) {
  const reply = new Promise((resolve, reject) => {
    take = resolve;
    setTimeout(() => reject(new Error('no reply')), REPLY_MS).unref();
  });
  await connection.sendMessage(new Message({ text }));
  replies.push(await reply);
}
await connection.close();
process.stdout.write(JSON.stringify(replies), () => process.exit(0));
