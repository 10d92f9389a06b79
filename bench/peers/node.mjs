// A receiver as a Node team would write it: https, pg, two workers; the envelope is opened by OpenSSL (`native`) or by
// Mastercard's own package (`mastercard`).
//
//   node node.mjs native|mastercard PORT FOLDER POSTGRES_URL
//
// FOLDER has server.pem, server.key, mastercard-client-ca.pem, decrypt.pem, decrypt.key. Packages come from NODE_PATH.
import cluster from "node:cluster";
import { createDecipheriv, createPrivateKey, privateDecrypt, constants } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";

const WORKERS = 2;
const CONNECTIONS_TO_POSTGRES = 16;
const [how, port, folder, postgres] = process.argv.slice(2);

if (cluster.isPrimary) {
  for (let n = 0; n < WORKERS; n += 1) cluster.fork();
} else {
  serve();
}

function serve() {
  const require = createRequire(join(process.env.NODE_PATH, "any.js"));
  const { Pool } = require("pg");
  const pool = new Pool({ connectionString: postgres, max: CONNECTIONS_TO_POSTGRES / WORKERS });
  const read = (name) => readFileSync(join(folder, name));
  const opened = how === "mastercard" ? byMastercard(require, folder) : byOpenSsl(read("decrypt.key"));
  const options = {
    key: read("server.key"),
    cert: read("server.pem"),
    ca: read("mastercard-client-ca.pem"),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const server = https.createServer(options, async (request, response) => {
    let status = 200;
    let answer;
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const text = Buffer.concat(parts).toString();
      const body = JSON.parse(text);
      await keep(pool, body.requestId, text, opened(body));
      answer = { responseHost: "tokens.merchant.example", responseId: body.requestId };
    } catch (error) {
      status = 500;
      answer = { errors: [{ reasonCode: "SYSTEM_ERROR", errorDescription: error.message }] };
    }
    const bytes = Buffer.from(JSON.stringify(answer));
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": bytes.length });
    response.end(bytes);
  });
  server.keepAliveTimeout = 75_000;
  server.listen(Number(port), "127.0.0.1", 4096);
}

function byOpenSsl(pem) {
  const key = createPrivateKey(pem);
  return (body) => {
    const sealed = body.encryptedPayload;
    const hash = sealed.oaepHashingAlgorithm.toLowerCase().replace("-", "");
    const wrapped = Buffer.from(sealed.encryptedKey, "hex");
    const secret = privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, wrapped);
    const cipher = createDecipheriv(`aes-${secret.length * 8}-cbc`, secret, Buffer.from(sealed.iv, "hex"));
    const data = Buffer.from(sealed.encryptedData, "hex");
    return JSON.parse(Buffer.concat([cipher.update(data), cipher.final()]).toString());
  };
}

function byMastercard(require, from) {
  const { FieldLevelEncryption } = require("mastercard-client-encryption");
  const url = "/notifyTokenUpdated";
  const fle = new FieldLevelEncryption({
    paths: [{ path: url, toEncrypt: [], toDecrypt: [{ element: "encryptedPayload", obj: "content" }] }],
    oaepPaddingDigestAlgorithm: "SHA-256",
    ivFieldName: "iv",
    encryptedKeyFieldName: "encryptedKey",
    encryptedValueFieldName: "encryptedData",
    oaepHashingAlgorithmFieldName: "oaepHashingAlgorithm",
    publicKeyFingerprintFieldName: "publicKeyFingerprint",
    publicKeyFingerprintType: "certificate",
    dataEncoding: "hex",
    encryptionCertificate: join(from, "decrypt.pem"),
    privateKey: join(from, "decrypt.key"),
  });
  return (body) => fle.decrypt({ request: { url }, body }).content;
}

/** One transaction: the notification, and of each token its row and the change. */
async function keep(pool, requestId, text, content) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const { rows } = await client.query({
      name: "notification",
      text: "insert into notification (request_id, body) values ($1, $2) on conflict do nothing returning id",
      values: [requestId, text],
    });
    if (rows.length > 0) {
      for (const token of content.tokens) await apply(client, rows[0].id, token);
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}

async function apply(client, notification, token) {
  const reference = token.tokenUniqueReference;
  const { rows } = await client.query({
    name: "held",
    text: "select status, status_at from token where reference = $1 for update",
    values: [reference],
  });
  const held = rows[0];
  if (held && held.status_at >= new Date(token.statusTimestamp)) return;
  await client.query({
    name: "token",
    text: `insert into token (reference, requestor, status, suspended_by, status_at) values ($1, $2, $3, $4, $5)
      on conflict (reference) do update
      set status = excluded.status, suspended_by = excluded.suspended_by, status_at = excluded.status_at, updated_at = now()`,
    values: [reference, token.tokenRequestorId, token.status, token.suspendedBy ?? [], token.statusTimestamp],
  });
  await client.query({
    name: "transition",
    text: `insert into transition (reference, notification_id, from_status, to_status, status_at)
      values ($1, $2, $3, $4, $5)`,
    values: [reference, notification, held?.status ?? null, token.status, token.statusTimestamp],
  });
}
