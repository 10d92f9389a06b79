
// Behind the snippet of docs/webhooks.md: one request a line, one word for each.
const { isDeepStrictEqual } = require("node:util");

for (const line of require("node:fs").readFileSync(0, "utf8").trim().split("\n")) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    const event = eventOf(secret, headers, body);
    console.log(isDeepStrictEqual(event, JSON.parse(body)) ? "taken" : "something else");
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log("refused");
  }
}
