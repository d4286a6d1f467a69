"""The content of parts is decoded from its transfer encoding, and a loss of bytes is a defect."""

import pytest

from messaging.mail import message
from messaging.mail.defects import Defect
from tests.support.mails import US, inbound


@pytest.mark.parametrize(
    ("content", "file", "defects"),
    [
        pytest.param(b"JVBERi0x\r\n", b"%PDF-1", [], id="one line"),
        pytest.param(b"JVBE\r\nRi 0x\t\r\n", b"%PDF-1", [], id="white space anywhere"),
        pytest.param(b"JVBERi0", b"%PDF-", [], id="no padding"),
        pytest.param(b"JVBE*Ri0x", b"%PDF-1", [Defect.BASE64_INVALID], id="another character"),
        pytest.param(b"JVBERi0xA", b"%PDF-1", [Defect.BASE64_INVALID], id="an incomplete byte"),
    ],
)
def test_base64_is_decoded(content: bytes, file: bytes, defects: list[Defect]) -> None:
    head = b"From: a@example.com\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    received = inbound(message.parse_mail(head + content), US)
    assert [file.content for file in received.files] == [file]
    assert received.extra.get("defects", []) == defects
