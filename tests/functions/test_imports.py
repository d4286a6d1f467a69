"""Cold starts: a function does not import modules that its path does not need, or seldom needs."""

import subprocess
import sys

import pytest

from local.commands.openapi import ROOT

pytestmark = pytest.mark.slow

RARELY_NEEDED = {
    *("boto3", "botocore.session", "botocore.auth", "urllib3"),  # until AWS is called
    *("phonenumbers", "email_validator", "dns", "idna"),  # until an address of this kind is parsed
    *("cryptography", "standardwebhooks"),  # until a provider's own file is imported
    *("sqlalchemy", "alembic", "aws_xray_sdk", "requests", "concurrent.futures.thread"),
}
ROUTES = "aws_lambda_powertools.event_handler"
NOT_IMPORTED = {
    "sms_webhook": {*RARELY_NEEDED, ROUTES, "messaging.outbound.accept", "messaging.conversations.reads"},
    "email_webhook": {*RARELY_NEEDED, ROUTES, "messaging.outbound.accept", "messaging.conversations.reads"},
    "send_message": {
        *RARELY_NEEDED,
        "messaging.inbound.receive",
        "messaging.conversations.reads",
        "messaging.inbound.media",
    },
    "deliver_message": {*RARELY_NEEDED - {"concurrent.futures.thread"}, ROUTES, "messaging.inbound.receive"},
    "authorizer": {
        *RARELY_NEEDED,
        ROUTES,
        "messaging.handlers.api",
        "messaging.outbound.store",
        "messaging.providers",
    },
    "admin": {
        *RARELY_NEEDED,
        "messaging.inbound.receive",
        "messaging.outbound.accept",
        "messaging.outbound.delivery",
    },
    "relay": {*RARELY_NEEDED, ROUTES, "messaging.inbound.receive", "messaging.handlers.api"},
    "conversations": {
        *RARELY_NEEDED,
        "messaging.inbound.receive",
        "messaging.outbound.accept",
        "messaging.outbound.delivery",
    },
}


@pytest.mark.parametrize("function", NOT_IMPORTED)
def test_a_function_does_not_import_what_it_does_not_need(function: str) -> None:
    program = f"import app, sys; print(*{NOT_IMPORTED[function]!r} & sys.modules.keys())"
    folders = (ROOT / "functions" / function, ROOT / "layers" / "messaging")
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PYTHONPATH": ":".join(map(str, folders)),
            "POWERTOOLS_SERVICE_NAME": function,
            "POWERTOOLS_METRICS_NAMESPACE": "Messaging",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr
