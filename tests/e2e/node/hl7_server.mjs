// Receives HL7 messages as another vendor's server does, and prints each as a line of JSON.
// Usage: node hl7_server.mjs medplum|node-hl7-server PORT ANSWERS; ANSWERS: MSA-1 of the first messages ("AE,AA"), then AA.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const [kind, port, answers] = process.argv.slice(2);
const codes = answers.split(',').filter(Boolean);

function take(text) {
  process.stdout.write(`${JSON.stringify(text)}\n`);
  return codes.shift() ?? 'AA';
}

if (kind === 'medplum') {
  const { Hl7Server } = require('@medplum/hl7');
  const server = new Hl7Server((connection) => {
    connection.addEventListener('message', ({ message }) => {
      connection.send(message.buildAck({ ackCode: take(message.toString()) }));
    });
  });
  await server.start(Number(port));
} else {
  const { Server } = require('node-hl7-server');
  const server = new Server({ bindAddress: '127.0.0.1' });
  server.createInbound({ port: Number(port) }, async (request, response) => {
    await response.sendResponse(take(request.getMessage().toString()));
  });
}
process.stdout.write('"ready"\n');
