"""Makes a client out of docs/callback.openapi.json, knowing nothing else of the receiver, and calls with it.

Reads {"document", "folder", "url", "client_certificate", "client_key", "server_roots", "encryption_certificate",
"content"} from standard input. Sends the content sealed, the same again, and something that nobody can open; prints what
the client understood of each answer, one JSON line each.
"""
import importlib
import json
import pathlib
import ssl
import subprocess
import sys

from client_encryption.field_level_encryption import encrypt_payload
from client_encryption.field_level_encryption_config import FieldLevelEncryptionConfig

PACKAGE = "generated_callback_client"


def generate(document, folder):
    config = folder / "generator.json"
    config.write_text(json.dumps({"package_name_override": PACKAGE, "post_hooks": []}))
    call = [sys.executable, "-m", "openapi_python_client", "generate", "--path", document, "--config", str(config),
            "--meta", "none", "--output-path", str(folder / PACKAGE), "--overwrite", "--fail-on-warning"]
    subprocess.run(call, check=True, stdout=sys.stderr)
    sys.path.insert(0, str(folder))


def sealed(content, certificate):
    config = FieldLevelEncryptionConfig({
        "paths": {"$": {"toEncrypt": {"encryptedPayload.encryptedData": "encryptedPayload"}, "toDecrypt": {}}},
        "encryptionCertificate": certificate,
        "oaepPaddingDigestAlgorithm": "SHA256",
        "dataEncoding": "hex",
        "encryptedValueFieldName": "encryptedData",
        "encryptedKeyFieldName": "encryptedKey",
        "ivFieldName": "iv",
        "oaepPaddingDigestAlgorithmFieldName": "oaepHashingAlgorithm",
        "encryptionCertificateFingerprintFieldName": "publicKeyFingerprint",
    })
    body = {"responseHost": "site1.mastercard.com", "requestId": "generated-1", "encryptedPayload": {"encryptedData": content}}
    return encrypt_payload(body, config)


def main():
    task = json.load(sys.stdin)
    generate(task["document"], pathlib.Path(task["folder"]))
    notify = importlib.import_module(f"{PACKAGE}.api.default.notify_token_updated")
    models = importlib.import_module(f"{PACKAGE}.models")
    context = ssl.create_default_context(cafile=task["server_roots"])
    context.load_cert_chain(task["client_certificate"], task["client_key"])
    client = importlib.import_module(PACKAGE).Client(base_url=task["url"], verify_ssl=context, timeout=20)
    good = sealed(task["content"], task["encryption_certificate"])
    broken = json.loads(json.dumps(good))
    broken["encryptedPayload"]["encryptedData"] = "00" * 32
    for body in (good, good, broken):
        answer = notify.sync_detailed(client=client, body=models.NotifyTokenUpdated.from_dict(body))
        kind = type(answer.parsed).__name__
        print(json.dumps({"status": answer.status_code, "kind": kind, "answer": answer.parsed.to_dict()}))


main()
