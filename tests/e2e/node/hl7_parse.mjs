// Parses HL7 messages with @medplum/core, and gives their fields as it sees them.
// Usage: node hl7_parse.mjs; standard input: a JSON array of messages; output: a JSON array of arrays of
// [segment, field, repetition, component, subcomponent, value].
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(import.meta.url); // its ES module doesn't load in every version of node that it runs on
const { Hl7Message } = require('@medplum/core');

const parsed = JSON.parse(readFileSync(0, 'utf8')).map((text) => {
  const values = [];
  for (const segment of Hl7Message.parse(text).segments.filter((s) => s.name !== 'MSH')) {
    segment.fields.forEach((field, f) =>
      field.components.forEach((repetition, r) =>
        repetition.forEach((component, c) =>
          component
            .split('&')
            .forEach((value, s) => value !== '' && f > 0 && values.push([segment.name, f, r + 1, c + 1, s + 1, value])),
        ),
      ),
    );
  }
  return values;
});
process.stdout.write(JSON.stringify(parsed));
