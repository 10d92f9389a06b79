

# Behind the snippet of docs/webhooks.md: one request a line, one word for each.
import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    try:
        event = event_of(request["secret"], request["headers"], request["body"].encode())
        print("taken" if event == json.loads(request["body"]) else "something else")
    except WebhookVerificationError:
        print("refused")
