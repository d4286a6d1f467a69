"""The functions in Lambda's own image with `sam local`: each with its event, and all behind the API."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.backing_services import BackingServices
from local.errors import CannotStart
from local.functions import runtime
from local.options import Options
from local.services import ports
from local.services.process import ChildProcess
from local.simulators.provider import ProviderSimulator
from tests.support import sam
from tests.support.api_keys import bearer
from tests.support.http_client import get, post
from tests.support.stack import CUSTOMER
from tests.support.waiting import eventually

IMAGE = f"public.ecr.aws/lambda/python:{runtime.VERSION}-x86_64"


def docker(*arguments: str) -> str | None:
    """Return the output of `docker`, or None if it fails or is not installed."""
    try:
        completed = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return completed.stdout.strip() if completed.returncode == 0 else None


def host_for_containers() -> str:
    """Return the address to listen on: the bridge's on Linux, and 127.0.0.1 with Docker Desktop."""
    name = "host.docker.internal"
    add_host = ("--add-host", f"{name}:host-gateway")
    output = docker("run", "--rm", *add_host, "--entrypoint", "getent", IMAGE, "hosts", name)
    assert output, f"a container of {IMAGE} does not start"
    address = output.split()[0]
    try:
        ports.choose(address, 0, "")
    except CannotStart:
        return "127.0.0.1"
    return address


@dataclass(frozen=True)
class SamLocal:
    options: tuple[str, ...]
    environment: dict[str, str]
    provider: ProviderSimulator
    api_port: int
    folder: Path

    def invoke(self, function: str, event: str) -> Any:
        return self._invoke(function, sam.ROOT / "events" / f"{event}.json")

    def operate(self, operation: str, body: object) -> Any:
        """Invoke Admin as an operator, who needs no key."""
        path = self.folder / "operation.json"
        path.write_text(json.dumps({"operator": operation, "body": body}))
        response = self._invoke("Admin", path)
        assert response["statusCode"] == 201, response
        return response["body"]

    def _invoke(self, function: str, event: Path) -> Any:
        arguments = ("local", "invoke", function, "--event", str(event), *self.options)
        return json.loads(sam.run(*arguments, environment=self.environment))


@pytest.fixture(scope="module")
def sam_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    if docker("info") is None:
        pytest.skip("Docker is not available: sam local was not tested")
    if docker("image", "inspect", IMAGE) is None:
        pytest.skip(f"Docker has no {IMAGE} (docker pull it): sam local was not tested")
    python = sam.interpreter()
    template = sam.build(python)
    folder = tmp_path_factory.mktemp("sam-local")
    api_port = ports.choose("127.0.0.1", 0, "")
    service_options = Options(
        folder=folder / "services",
        durable=False,
        host=host_for_containers(),
        postgres_port=0,
        aws_port=0,
        provider_port=0,
        gateway=f"http://127.0.0.1:{api_port}",
    )
    services = BackingServices(service_options, lambda _: None)
    try:
        variables = folder / "local.json"
        variables.write_text(environment_variables(services))
        options = ("--template-file", str(template), "--env-vars", str(variables), "--skip-pull-image")
        started = SamLocal(options, sam.environment(python), services.provider, api_port, folder)
        assert started.invoke("Migrate", "migrate")["revision"]
        started.operate("POST /api/admin/addresses", {"address": "*", "account_id": 1})
        yield started
    finally:
        services.close()


def environment_variables(services: BackingServices) -> str:
    """Return events/local.json with the ports of the services, which are any free ones."""
    variables = (sam.ROOT / "events/local.json").read_text()
    for port, url in (("5432", services.database_url), ("4566", services.aws.endpoint)):
        assert f"host.docker.internal:{port}" in variables
        variables = variables.replace(
            f"host.docker.internal:{port}", f"host.docker.internal:{urlsplit(url).port}"
        )
    return variables


@pytest.fixture(scope="module")
def api(sam_local: SamLocal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("start-api") / "log"
    server = ChildProcess(
        sam.command("local", "start-api", "--port", str(sam_local.api_port), *sam_local.options),
        log=log,
        folder=sam.ROOT,
        environment=sam_local.environment,
        grace=60,
    )
    url = f"http://127.0.0.1:{sam_local.api_port}"

    def is_healthy() -> bool:
        assert not server.ended, log.read_text()
        try:
            return get(f"{url}/healthz").status == 200
        except OSError:
            return False

    try:
        eventually(is_healthy, 120)
        yield url
    finally:
        server.stop()


def test_every_function_processes_its_event(sam_local: SamLocal) -> None:
    sent = sam_local.invoke("SendMessage", "send_message")
    assert (sent["statusCode"], json.loads(sent["body"])["id"]) == (202, 1)
    assert sam_local.invoke("DeliverMessage", "deliver_message") == {"batchItemFailures": []}
    assert [received.body["reference"] for received in sam_local.provider.requests] == ["1"]
    assert sam_local.invoke("SmsWebhook", "sms_webhook")["statusCode"] == 200
    assert sam_local.invoke("EmailWebhook", "email_webhook")["statusCode"] == 200
    reads = sam_local.invoke("Conversations", "conversations")
    assert (reads["statusCode"], len(json.loads(reads["body"])["conversations"])) == (200, 2)
    assert sam_local.invoke("Relay", "relay")["leases_expired"] == 0
    assert sam_local.invoke("Authorizer", "authorizer") == {"isAuthorized": False}
    keys = sam_local.invoke("Admin", "admin")
    assert (keys["statusCode"], json.loads(keys["body"])["keys"]) == (200, [])


def test_the_api_sends_receives_and_reads(sam_local: SamLocal, api: str, contact: str) -> None:
    created = sam_local.operate("POST /api/admin/keys", {"account_id": 1, "scopes": ["send", "read"]})
    key = bearer(created["key"])
    assert get(f"{api}/api/conversations").status == 401
    assert get(f"{api}/api/conversations", bearer("mk_1_x")).status == 403
    sent = post(f"{api}/api/messages/sms", {"from": CUSTOMER, "to": contact, "body": "Hello"}, key)
    assert sent.status == 202
    inbound = {
        "from": contact,
        "to": CUSTOMER,
        "type": "sms",
        "messaging_provider_id": "answer",
        "body": "Hi",
    }
    received = post(f"{api}/api/webhooks/sms", inbound)
    assert received.status == 200
    conversation = get(f"{api}/api/conversations/{sent.body['conversation_id']}/messages", key)
    assert [message["id"] for message in conversation.body["messages"]] == [
        sent.body["id"],
        received.body["id"],
    ]
