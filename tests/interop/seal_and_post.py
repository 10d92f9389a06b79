"""Seals samples with Mastercard's own client-encryption library and posts them over mutual TLS.

Reads {"url", "client_certificate", "client_key", "server_roots", "encryption_certificate", "samples": [...]}
from standard input; each sample is {"request_id", "oaep", "content"}. Prints one JSON line per answer.
"""
import http.client
import json
import ssl
import sys
from urllib.parse import urlsplit

from client_encryption.field_level_encryption import encrypt_payload
from client_encryption.field_level_encryption_config import FieldLevelEncryptionConfig

DEADLINE_SECS = 20


def configuration(certificate, oaep):
    """The configuration that Mastercard documents for MDES: hex, and the certificate's fingerprint."""
    return FieldLevelEncryptionConfig({
        "paths": {"$": {"toEncrypt": {"encryptedPayload.encryptedData": "encryptedPayload"}, "toDecrypt": {}}},
        "encryptionCertificate": certificate,
        "oaepPaddingDigestAlgorithm": oaep,
        "dataEncoding": "hex",
        "encryptedValueFieldName": "encryptedData",
        "encryptedKeyFieldName": "encryptedKey",
        "ivFieldName": "iv",
        "oaepPaddingDigestAlgorithmFieldName": "oaepHashingAlgorithm",
        "encryptionCertificateFingerprintFieldName": "publicKeyFingerprint",
    })


def main():
    task = json.load(sys.stdin)
    url = urlsplit(task["url"])
    context = ssl.create_default_context(cafile=task["server_roots"])
    context.load_cert_chain(task["client_certificate"], task["client_key"])
    connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=DEADLINE_SECS)
    for sample in task["samples"]:
        body = {
            "responseHost": "site1.mastercard.com",
            "requestId": sample["request_id"],
            "encryptedPayload": {"encryptedData": sample["content"]},
        }
        sealed = encrypt_payload(body, configuration(task["encryption_certificate"], sample["oaep"]))
        connection.request("POST", url.path, json.dumps(sealed), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        print(json.dumps({"status": answer.status, "body": json.loads(answer.read()), "sent": sealed}))


main()
