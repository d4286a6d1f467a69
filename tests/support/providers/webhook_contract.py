"""The part of the contract about webhooks: which are verified, and how they are read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.models import DeliveryReport, InboundMessage, Status
from messaging.problems import Invalid, Unreadable
from messaging.providers.provider import Webhook
from tests.support.configuration import Configure
from tests.support.providers import altered_requests
from tests.support.providers.vendor_profile import VendorProfile

HEADERS = st.dictionaries(
    st.text(st.characters(codec="latin-1"), max_size=30).map(str.lower), st.text(max_size=60)
)
EXAMPLES = settings(max_examples=50)
MOMENT = timedelta(seconds=30)


class WebhookContract(VendorProfile):
    def bodies(self) -> list[bytes]:
        return [self.inbound, self.report, *([self.batch] if self.batch else [])]

    # --- Verification ------------------------------------------------------------------------------------

    def test_a_request_that_the_vendor_signed_is_verified(self) -> None:
        for body in self.bodies():
            verified = self.create().verify(self.request(body))
            assert verified.signed
            assert self.signs_body or verified.replay_token, (
                "else any body is as good as the one that was meant"
            )

    def test_an_unsigned_request_is_refused(self, configure: Configure) -> None:
        configure(ALLOW_UNSIGNED_WEBHOOKS="")
        for body in (*self.bodies(), b""):
            self.assert_refused(self.webhook(body))

    def test_a_stale_request_is_refused(self) -> None:
        assert self.tolerance
        for body in self.bodies():
            for sign in (-1, 1):
                now = datetime.now(UTC)
                self.create().verify(self.request(body, now + sign * (self.tolerance - MOMENT)))
                for late in (MOMENT, timedelta(days=400)):
                    self.assert_refused(self.request(body, now + sign * (self.tolerance + late)))

    def test_a_changed_body_is_refused(self) -> None:
        for body in self.bodies():
            request = self.request(body)
            for other in self.tampered(request.body):
                self.assert_refused(replace(request, body=other))

    def test_a_changed_url_is_refused(self) -> None:
        request = self.request(self.inbound)
        query = [
            f"{request.query}&more=1",
            f"{request.query}x",
            *([""] if request.query else []),
        ]
        for other in (
            replace(request, url=request.url.replace("api.", "api2.")),
            replace(request, url=request.url.replace("https:", "http:")),
            replace(request, url=f"{request.url}/"),
            *(replace(request, query=text) for text in query),
        ):
            self.assert_refused(other)

    def test_any_of_several_keys_verifies_a_request(self) -> None:
        own = self.secret("")
        for order in (1, -1):
            both = {field: [own[field], other][::order] for field, other in self.keys}
            for body in self.bodies():
                self.create(both).verify(self.request(body))

    def test_a_request_signed_with_another_key_is_refused(self) -> None:
        for body in self.bodies():
            self.assert_refused(self.request(body), self.create(dict(self.keys)))

    def test_the_reason_names_the_field_that_the_secret_lacks(self) -> None:
        provider = self.create({field: None for field, _ in self.keys})
        for body in self.bodies():
            reason = self.assert_refused(self.request(body), provider)
            assert reason.startswith("The secret holds no ")
            assert any(field in reason for field, _ in self.keys)

    def test_no_other_headers_verify_a_request_or_crash(self) -> None:
        request = self.request(self.inbound)
        signed = {name: request.headers[name] for name in self.sign(request.body, datetime.now(UTC))}
        names = st.sampled_from(sorted(signed)) if signed else st.nothing()
        spoilt = st.dictionaries(names, st.text(), min_size=1) if signed else st.just({})

        @EXAMPLES
        @given(spoilt.filter(lambda spoilt: not signed or bool(spoilt.items() - signed.items())), HEADERS)
        def refused(spoilt: dict[str, str], more: dict[str, str]) -> None:
            if signed:
                self.assert_refused(replace(request, headers=more | dict(request.headers) | spoilt))
            self.assert_refused(self.webhook(self.inbound, more))

        refused()

    def test_a_changed_signature_in_the_body_is_refused(self) -> None:
        """Only for vendors whose signature is in the body."""
        for body in self.bodies():
            request = self.request(body)
            for name in self.signature_fields:
                for odd in altered_requests.ODD_TEXT:
                    spoilt = altered_requests.with_field(
                        request.body, self.content_type(request.body), name, odd
                    )
                    self.assert_refused(replace(request, body=spoilt))

    # --- Parsing -----------------------------------------------------------------------------------------

    def test_reads_a_message(self) -> None:
        request = self.request(self.inbound)
        for _ in range(2):  # reading changes nothing
            [message] = self.create().parse(request)
            assert isinstance(message, InboundMessage)
            assert message.provider_message_id == self.inbound_id
            assert message.type in self.provider.channels

    def test_reads_a_report(self) -> None:
        [report] = self.create().parse(self.request(self.report))
        assert isinstance(report, DeliveryReport)
        assert (report.provider_message_id, report.status) == (self.sent_id, Status.DELIVERED)
        assert report.reference in (7, None)

    def test_a_report_with_an_unknown_status_has_no_status(self) -> None:
        unheard_of = self.report.replace(self.delivered, b"unheard-of")
        assert unheard_of != self.report
        [report] = self.create().parse(self.request(unheard_of))
        assert isinstance(report, DeliveryReport)
        assert report.status is None

    def test_an_unreadable_part_of_a_batch_does_not_lose_the_others(self) -> None:
        assert self.batch
        first, bad, last = self.create().parse(self.request(self.batch))
        assert isinstance(bad, Invalid)
        assert all(isinstance(part, (InboundMessage, DeliveryReport)) for part in (first, last))

    def test_an_unreadable_request_raises_a_problem(self) -> None:
        assert not self.can_read(self.request(self.unreadable))

    def test_any_body_is_parsed_or_raises_a_problem(self) -> None:
        kinds = {self.content_type(body) for body in self.bodies()}

        @EXAMPLES
        @given(altered_requests.ANYTHING, st.sampled_from(sorted(kinds)), st.text(max_size=20))
        def read(body: bytes, kind: str, query: str) -> None:
            self.can_read(Webhook(self.url, query, {"content-type": kind}, body))

        read()

    def test_an_altered_request_is_parsed_or_raises_a_problem(self) -> None:
        for body in self.bodies():
            request = self.request(body)

            @EXAMPLES
            @given(altered_requests.altered(request.body, self.content_type(request.body)))
            def read(body: bytes) -> None:
                self.can_read(replace(request, body=body))  # noqa: B023  # called within the round

            read()

    def can_read(self, webhook: Webhook) -> bool:
        """Whether every part was parsed. The only errors are Unreadable and Invalid."""
        try:
            parts = self.create().parse(webhook)
        except (Unreadable, Invalid):
            return False
        assert all(isinstance(part, (InboundMessage, DeliveryReport, Invalid)) for part in parts)
        return not any(isinstance(part, Invalid) for part in parts)

    def test_the_response_is_2xx_for_a_stored_message_and_for_an_unknown_report(self) -> None:
        for message in (self.stored_message(), None):
            assert 200 <= self.create().respond([message]).status < 300
