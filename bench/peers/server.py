"""A receiver as a Python team would write it: uvicorn, asyncpg, and Mastercard's own package for the envelope.

Run by uvicorn (see ../run): BENCH_FOLDER has decrypt.key and decrypt.pem, BENCH_POSTGRES is the database's URL.
"""
import json
import os
from datetime import datetime

import asyncpg
from client_encryption.field_level_encryption import decrypt_payload
from client_encryption.field_level_encryption_config import FieldLevelEncryptionConfig

CONNECTIONS_TO_POSTGRES = 8  # for each of two workers
FOLDER = os.environ["BENCH_FOLDER"]
CONFIGURATION = FieldLevelEncryptionConfig({
    "paths": {"$": {"toEncrypt": {}, "toDecrypt": {"encryptedPayload": "content"}}},
    "encryptionCertificate": f"{FOLDER}/decrypt.pem",
    "decryptionKey": f"{FOLDER}/decrypt.key",
    "oaepPaddingDigestAlgorithm": "SHA-256",
    "dataEncoding": "hex",
    "encryptedValueFieldName": "encryptedData",
    "encryptedKeyFieldName": "encryptedKey",
    "ivFieldName": "iv",
    "oaepPaddingDigestAlgorithmFieldName": "oaepHashingAlgorithm",
    "encryptionCertificateFingerprintFieldName": "publicKeyFingerprint",
})
pool = None


async def app(scope, receive, send):
    """The whole application, in the fewest layers that uvicorn offers."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        status, answer = 200, await answered(bytes(body))
    except Exception as error:
        status, answer = 500, {"errors": [{"reasonCode": "SYSTEM_ERROR", "errorDescription": str(error)}]}
    said = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said})


async def lifespan(receive, send):
    global pool
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            pool = await asyncpg.create_pool(
                os.environ["BENCH_POSTGRES"], min_size=CONNECTIONS_TO_POSTGRES, max_size=CONNECTIONS_TO_POSTGRES
            )
            await send({"type": "lifespan.startup.complete"})
        else:
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def answered(text):
    body = json.loads(text)
    request_id = body["requestId"]
    content = decrypt_payload(body, CONFIGURATION)["content"]
    async with pool.acquire() as connection, connection.transaction():
        notification = await connection.fetchval(
            "insert into notification (request_id, body) values ($1, $2) on conflict do nothing returning id",
            request_id,
            text.decode(),
        )
        if notification is not None:
            for token in content["tokens"]:
                await apply(connection, notification, token)
    return {"responseHost": "tokens.merchant.example", "responseId": request_id}


async def apply(connection, notification, token):
    reference, at = token["tokenUniqueReference"], datetime.fromisoformat(token["statusTimestamp"])
    held = await connection.fetchrow(
        "select status, status_at from token where reference = $1 for update", reference
    )
    if held and held["status_at"] >= at:
        return
    await connection.execute(
        """insert into token (reference, requestor, status, suspended_by, status_at) values ($1, $2, $3, $4, $5)
        on conflict (reference) do update
        set status = excluded.status, suspended_by = excluded.suspended_by, status_at = excluded.status_at,
          updated_at = now()""",
        reference,
        token.get("tokenRequestorId"),
        token["status"],
        token.get("suspendedBy", []),
        at,
    )
    await connection.execute(
        """insert into transition (reference, notification_id, from_status, to_status, status_at)
        values ($1, $2, $3, $4, $5)""",
        reference,
        notification,
        held["status"] if held else None,
        token["status"],
        at,
    )
