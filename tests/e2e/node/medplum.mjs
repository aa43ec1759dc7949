// Sends HL7 messages with @medplum/hl7 over one connection, one after the other.
// Usage: node medplum.mjs PORT [ENCODING]; standard input: a JSON array of messages; output: a JSON array of replies.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(import.meta.url); // its ES module doesn't load in every version of node that it runs on
const { Hl7Client } = require('@medplum/hl7');
const { Hl7Message } = require('@medplum/core');

const REPLY_MS = 15000;

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply to ${what}`)), REPLY_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const [port, encoding] = process.argv.slice(2);
const client = new Hl7Client({ host: '127.0.0.1', port: Number(port), encoding, keepAlive: true });
const replies = [];
try {
  for (const text of JSON.parse(readFileSync(0, 'utf8'))) {
    const message = Hl7Message.parse(text);
    const reply = await within(client.sendAndWait(message), message.header.getComponent(10, 1));
    replies.push(reply.toString());
  }
} finally {
  client.close();
}
process.stdout.write(JSON.stringify(replies));
