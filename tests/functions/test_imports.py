"""What a function's start does not pay for: modules that its own path does not need, or seldom."""

import subprocess
import sys

import pytest

from local.commands.openapi import ROOT

SELDOM = {
    *("boto3", "botocore.session", "botocore.auth", "urllib3"),  # until AWS is called
    *("phonenumbers", "email_validator", "dns", "idna"),  # until an address of the kind is read
    *("cryptography", "multipart", "standardwebhooks"),  # until a provider's own file is
    *("sqlalchemy", "alembic", "aws_xray_sdk", "requests", "concurrent.futures.thread"),
}
ROUTES = "aws_lambda_powertools.event_handler"
UNNEEDED = {
    "sms_webhook": {*SELDOM, ROUTES, "messaging.outbound.accept", "messaging.conversations.reads"},
    "email_webhook": {*SELDOM, ROUTES, "messaging.outbound.accept", "messaging.conversations.reads"},
    "send_message": {
        *SELDOM,
        "messaging.inbound.receive",
        "messaging.conversations.reads",
        "messaging.inbound.media",
    },
    "deliver_message": {*SELDOM - {"concurrent.futures.thread"}, ROUTES, "messaging.inbound.receive"},
    "authorizer": {
        *SELDOM,
        ROUTES,
        "messaging.handlers.api",
        "messaging.outbound.store",
        "messaging.providers",
    },
    "admin": {
        *SELDOM,
        "messaging.inbound.receive",
        "messaging.outbound.accept",
        "messaging.outbound.delivery",
    },
    "relay": {*SELDOM, ROUTES, "messaging.inbound.receive", "messaging.handlers.api"},
    "conversations": {
        *SELDOM,
        "messaging.inbound.receive",
        "messaging.outbound.accept",
        "messaging.outbound.delivery",
    },
}


@pytest.mark.parametrize("function", UNNEEDED)
def test_imports_nothing_that_its_path_does_not_need(function: str) -> None:
    program = f"import app, sys; print(*{UNNEEDED[function]!r} & sys.modules.keys())"
    places = (ROOT / "functions" / function, ROOT / "layers" / "messaging")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PYTHONPATH": ":".join(map(str, places)),
            "POWERTOOLS_SERVICE_NAME": function,
            "POWERTOOLS_METRICS_NAMESPACE": "Messaging",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
