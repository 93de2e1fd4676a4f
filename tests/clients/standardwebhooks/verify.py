"""Judges messages with the PyPI library `standardwebhooks`.

Reads one JSON object per line: {"name", "secret", "headers", "body" (base64), "genuine"}.
Prints one line per message; leaves with 1 where the library disagrees with "genuine".
"""

import base64
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def is_genuine(message):
    try:
        body = base64.b64decode(message["body"])
        Webhook(message["secret"]).verify(body, message["headers"])
        return True
    except WebhookVerificationError:
        return False


wrong = 0
for line in sys.stdin:
    message = json.loads(line)
    verdict = is_genuine(message)
    wrong += verdict != message["genuine"]
    print(f'{message["name"]}: {"genuine" if verdict else "refused"}')
sys.exit(1 if wrong else 0)
