"""Opens envelopes with Mastercard's own client-encryption library.

Takes a private key's file, and `encryptedPayload` objects on standard input, one on a line. Prints for each what it
holds, in hex, or `-` if it does not open: to who cannot read UTF-8 the library gives nothing.
"""
import json
import sys

from client_encryption.encoding_utils import decode_value
from client_encryption.field_level_encryption import _decrypt_bytes
from client_encryption.field_level_encryption_config import FieldLevelEncryptionConfig
from client_encryption.session_key_params import SessionKeyParams


def opened(node, config):
    """As the library's `decrypt_payload` does, without the JSON around it."""
    params = SessionKeyParams(config, node["encryptedKey"], node["iv"], node.get("oaepHashingAlgorithm"))
    data = decode_value(node["encryptedData"], config.data_encoding)
    return _decrypt_bytes(params.key, params.iv_spec, data).encode().hex()


def main():
    config = FieldLevelEncryptionConfig({
        "paths": {"$": {"toEncrypt": {}, "toDecrypt": {}}},
        "decryptionKey": sys.argv[1],
        "oaepPaddingDigestAlgorithm": "SHA256",
        "dataEncoding": "hex",
        "encryptedValueFieldName": "encryptedData",
        "encryptedKeyFieldName": "encryptedKey",
        "ivFieldName": "iv",
        "oaepPaddingDigestAlgorithmFieldName": "oaepHashingAlgorithm",
    })
    for line in sys.stdin:
        try:
            print(opened(json.loads(line), config))
        except Exception:  # whatever the library raises, it did not open
            print("-")


main()
