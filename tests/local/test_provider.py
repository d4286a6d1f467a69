"""The provider simulator accepts messages, reports on them and answers status lookups."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from local import Behaviour
from local.http.server import Server
from local.simulators.provider import ProviderSimulator
from tests.support.local.simulator_client import MESSAGE, SECRET, Product, call, fetch_status, send
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("channel", "name"), [("sms", "messaging_provider_id"), ("email", "xillio_id")])
def test_a_message_is_accepted_and_reported_on(
    provider: ProviderSimulator, product: Product, channel: str, name: str
) -> None:
    status, answer = send(provider, channel)
    assert status == 200
    (path, first), (_, second) = eventually(lambda: product.reports[1:] and product.reports)
    assert path == f"/api/webhooks/{channel}"
    assert first == {name: answer[name], "reference": "7", "status": "sent", "timestamp": first["timestamp"]}
    assert second["status"] == "delivered"
    [recorded] = provider.requests
    assert (recorded.path, recorded.body, recorded.status) == (f"/{channel}", MESSAGE, 200)


def test_a_message_with_another_signature_is_rejected(provider: ProviderSimulator, product: Product) -> None:
    status, _ = send(provider, secret="whsec_YW5vdGhlcg==")
    assert status == 401
    assert [recorded.status for recorded in provider.requests] == [401]


def test_a_report_is_repeated_until_it_is_accepted(provider: ProviderSimulator, product: Product) -> None:
    product.failures = 2
    provider.behave(Behaviour(reports=["failed"], report_delay=0))
    send(provider)
    [(_, report)] = eventually(lambda: product.reports)
    assert report["status"] == "failed"
    assert report["error"] == {"code": "30003", "reason": "Unreachable"}


def test_a_status_lookup_returns_the_id_of_an_accepted_message(provider: ProviderSimulator) -> None:
    assert fetch_status(provider, "7")[0] == 404
    provider.behave(Behaviour(status=503, times=1))
    send(provider)
    assert fetch_status(provider, "7")[0] == 404
    answer = send(provider)
    assert fetch_status(provider, "7") == answer == (200, {"messaging_provider_id": provider.lookups[-1].id})
    assert fetch_status(provider, "7", "email")[0] == 404  # another instance has other messages
    assert fetch_status(provider, "7", secret="whsec_YW5vdGhlcg==")[0] == 401
    assert [lookup.status for lookup in provider.lookups] == [404, 404, 200, 404, 401]


def test_a_message_can_be_looked_up_before_its_response_is_sent(
    provider: ProviderSimulator,
) -> None:
    provider.behave(Behaviour(delay=1))
    with ThreadPoolExecutor() as threads:
        sending = threads.submit(send, provider)
        [recorded] = eventually(lambda: provider.requests)
        assert (recorded.status, recorded.ended) == (None, None)
        assert fetch_status(provider, "7") == (200, {"messaging_provider_id": recorded.id})
        assert not sending.done()
        assert sending.result() == (200, {"messaging_provider_id": recorded.id})
    assert provider.requests[0].status == 200


def test_one_instance_can_fail_while_another_works(product: Product) -> None:
    gateway = Server("127.0.0.1", 0, product.respond)
    gateway.start()
    provider = ProviderSimulator(0, gateway.url, SECRET, instances={"first": "sms", "second": "email"})
    provider.start()
    try:
        provider.behave(Behaviour(status=503), at="first")
        assert send(provider, "first")[0] == 503
        status, answer = send(provider, "second")
        assert (status, list(answer)) == (200, ["xillio_id"])
        eventually(lambda: product.reports)
        assert product.reports[0][0] == "/api/webhooks/email/second"
        assert send(provider, "sms")[0] == 404
        provider.behave()
        assert send(provider, "first")[0] == 200
    finally:
        provider.stop()
        gateway.stop()


@pytest.mark.parametrize(("channel", "type"), [("sms", "mms"), ("email", "email")])
def test_an_inbound_message_is_posted_signed(
    provider: ProviderSimulator, product: Product, channel: str, type: str
) -> None:
    urls = ["https://example.com/a.jpg"]
    message = {"from": "them", "to": "us", "body": "Hi", "attachments": urls, "id": "message-1"}
    response = call("POST", f"{provider.url}/{channel}/inbound", json.dumps(message).encode())
    assert response == (200, {"status": 200, "answer": "{}"})
    [(path, webhook)] = product.reports
    assert path == f"/api/webhooks/{channel}"
    assert "message-1" in webhook.values()
    assert (webhook["from"], webhook["type"], webhook["attachments"]) == ("them", type, urls)


def test_an_inbound_message_without_a_gateway_is_a_502() -> None:
    provider = ProviderSimulator(0, "http://127.0.0.1:9", SECRET)
    provider.start()
    try:
        message = json.dumps({"from": "them", "to": "us"}).encode()
        assert call("POST", f"{provider.url}/sms/inbound", message)[0] == 502
        assert call("POST", f"{provider.url}/sms/inbound", b"[]")[0] == 422
        assert call("POST", f"{provider.url}/nobody/inbound", message)[0] == 404
    finally:
        provider.stop()


def test_reports_can_leave_out_our_id(provider: ProviderSimulator, product: Product) -> None:
    provider.behave(Behaviour(reports=["sent"], report_delay=0, reference=False))
    _, answer = send(provider)
    [(_, report)] = eventually(lambda: product.reports)
    assert report == {**answer, "status": "sent", "timestamp": report["timestamp"]}
