"""The environment variables of a deployment: formats, defaults, and errors without secrets."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from local.commands.openapi import ROOT
from messaging.settings import Settings, settings
from tests.support.configuration import Configure

DATABASE_URL = "postgresql://owner:open-sesame@db.example.org:5432/messages"
VARIABLES = [name.upper() for name in Settings.model_fields]


def test_an_empty_variable_counts_as_not_set(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(**dict.fromkeys(VARIABLES, ""))
    empty = settings()
    for name in VARIABLES:
        monkeypatch.delenv(name)
    configure()
    assert empty == settings() == Settings()
    assert empty.providers == {"sms": "sms", "email": "email"}
    assert empty.sender_providers == {}
    assert (empty.default_region, empty.max_attempts, empty.allow_unsigned_webhooks) == (None, 16, False)


def test_variables_are_read_only_once(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(MAX_ATTEMPTS="3")
    assert settings().max_attempts == 3
    monkeypatch.setenv("MAX_ATTEMPTS", "4")
    assert settings().max_attempts == 3


@pytest.mark.parametrize(
    ("text", "instances"),
    [
        ("sms", {"sms": "sms"}),
        ("sms,email", {"sms": "sms", "email": "email"}),
        (" email , sms ,", {"email": "email", "sms": "sms"}),
        ("sms-eu=sms", {"sms-eu": "sms"}),
        ("sms, sms-eu = sms ,email=", {"sms": "sms", "sms-eu": "sms", "email": "email"}),
    ],
)
def test_providers_is_an_ordered_list_of_instances_and_their_types(
    text: str, instances: dict[str, str], configure: Configure
) -> None:
    configure(PROVIDERS=text)
    assert list(settings().providers.items()) == list(instances.items())


def test_a_sending_address_can_have_its_own_providers(configure: Configure) -> None:
    configure(SENDER_PROVIDERS='{"+12016661234": ["sms-eu", "sms"], "user@example.com": []}')
    assert settings().sender_providers == {"+12016661234": ["sms-eu", "sms"], "user@example.com": []}


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("1", True), ("0", False)])
def test_unsigned_webhooks_are_allowed_only_by_an_explicit_true(
    text: str, value: object, configure: Configure
) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS=text)
    assert settings().allow_unsigned_webhooks is value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "-1"),
        ("MAX_ATTEMPTS", "many"),
        ("MAX_ATTEMPTS", "1.5"),
        ("ALLOW_UNSIGNED_WEBHOOKS", "perhaps"),
        ("SENDER_PROVIDERS", "sms"),
        ("SENDER_PROVIDERS", "[]"),
        ("SENDER_PROVIDERS", '{"+12016661234": "sms"}'),
        ("SENDER_PROVIDERS", '{"+12016661234": [1]}'),
        ("SENDER_PROVIDERS", '{"+12016661234": null}'),
    ],
)
def test_an_error_names_its_variable_and_does_not_show_the_values(
    name: str, value: str, configure: Configure
) -> None:
    configure(DATABASE_URL=DATABASE_URL, **{name: value})
    with pytest.raises(ValidationError) as error:
        settings()
    message = str(error.value)
    assert name.lower() in message
    assert "open-sesame" not in message
    assert "input_value" not in message


def test_the_repr_of_the_settings_does_not_contain_the_password(configure: Configure) -> None:
    configure(DATABASE_URL=DATABASE_URL)
    assert settings().database_url == DATABASE_URL
    assert "open-sesame" not in f"{settings()!r} {settings()}"


def test_boto3_is_not_imported_at_start() -> None:
    program = (
        "import sys; from messaging import settings; from messaging.conversations import reads;"
        "from messaging.handlers import api; from messaging.inbound import receive;"
        "from messaging.outbound import accept; settings.settings();"
        "print(*{'boto3', 'botocore.session'} & sys.modules.keys())"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "layers" / "messaging")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "\n", "")
