"""Signs requests with Mastercard's own OAuth signer, at a given time and with a given nonce.

Reads {"signing_key", "password", "consumer_key", "requests": [...]} from standard input; each request is
{"method", "url", "body", "nonce", "timestamp"}. Prints one JSON line for each: its base string and its header.
"""
import json
import sys

import oauth1.coreutils as util
from oauth1.authenticationutils import load_signing_key
from oauth1.oauth import OAuth


def main():
    task = json.load(sys.stdin)
    key = load_signing_key(task["signing_key"], task["password"])
    original = OAuth.get_base_string
    seen = []

    def noted(url, method, parameters):
        seen.append(original(url, method, parameters))
        return seen[-1]

    OAuth.get_base_string = staticmethod(noted)
    for request in task["requests"]:
        util.get_nonce = lambda: request["nonce"]
        util.get_timestamp = lambda: request["timestamp"]
        header = OAuth.get_authorization_header(
            request["url"], request["method"], request["body"], task["consumer_key"], key
        )
        print(json.dumps({"base_string": seen.pop(), "authorization": header}))


main()
