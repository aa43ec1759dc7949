// A receiver of HL7 messages with @medplum/hl7: acknowledges each, and writes MSH-9 and MSH-10 as a line of JSON.
// Usage: node medplum_server.mjs PORT; it ends when its standard input does.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url); // its ES module doesn't load in every version of node that it runs on
const { Hl7Server } = require('@medplum/hl7');

const server = new Hl7Server((connection) => {
  connection.addEventListener('message', ({ message }) => {
    connection.send(message.buildAck());
    console.log(JSON.stringify([message.header.getField(9).toString(), message.header.getComponent(10, 1)]));
  });
});
await server.start(Number(process.argv[2]));
console.log('"ready"');
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
