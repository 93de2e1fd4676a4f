// Judges messages with the npm library `standardwebhooks`. Input and output as in verify.py.
// Usage: node verify.mjs DIRECTORY_WITH_NODE_MODULES < messages
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";

const load = createRequire(join(process.argv[2], "package.json"));
const { Webhook, WebhookVerificationError } = load("standardwebhooks");

function isGenuine(message) {
  try {
    const body = Buffer.from(message.body, "base64").toString("utf8");
    new Webhook(message.secret).verify(body, message.headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

let wrong = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  const verdict = isGenuine(message);
  wrong += verdict !== message.genuine;
  console.log(`${message.name}: ${verdict ? "genuine" : "refused"}`);
}
process.exit(wrong ? 1 : 0);
