// Speaks to a FHIR endpoint with fhir-kit-client.
// Usage: node fhir_kit.mjs BASE-URL [TOKEN]; standard input: a JSON array of calls {call, …}, such as
// {"call": "create", "resourceType": "Observation", "body": {…}}; output: a JSON array of {status, location, body}.
import { readFileSync } from 'node:fs';
import { Client } from 'fhir-kit-client';

const [baseUrl, token] = process.argv.slice(2);
const client = new Client({ baseUrl, ...(token && { bearerToken: token }) });
const answers = [];
for (const { call, ...options } of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    const body = await client[call](options);
    const { response } = Client.httpFor(body);
    answers.push({ status: response.status, location: response.headers.get('location'), body });
  } catch (error) {
    if (!error.response) {
      throw error;
    }
    answers.push({ status: error.response.status, location: null, body: error.response.data });
  }
}
process.stdout.write(JSON.stringify(answers));
