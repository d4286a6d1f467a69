"""What is written correctly is read as the standard library reads it, and is no defect."""

from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, EmailPolicy

from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import message

TEXTS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.just("\n"), max_size=200)
ENCODINGS = st.sampled_from(["base64", "quoted-printable", None])
NAMES = st.text(st.characters(categories=["L", "N"]) | st.sampled_from(" ._-';\"()[]"), min_size=1).map(
    lambda name: f"a{name.strip()}z.bin"
)
File = tuple[str, bytes, str]
"""The name, the content and its transfer encoding."""
FILES = st.tuples(NAMES, st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable"]))


@given(TEXTS, TEXTS | st.none(), st.lists(FILES, max_size=3), ENCODINGS, st.sampled_from([SMTP, SMTPUTF8]))
def test_a_mail_of_the_standard_library_is_read_as_it_was_written(
    text: str,
    html: str | None,
    files: list[tuple[str, bytes, str]],
    encoding: str | None,
    policy: EmailPolicy,
) -> None:
    mail = EmailMessage()
    mail["From"] = "ann@example.org"
    mail["Subject"] = "Order 7"
    mail.set_content(text, cte=encoding)
    if html is not None:
        mail.add_alternative(html, subtype="html", cte=encoding)
    for name, content, file_encoding in files:
        mail.add_attachment(content, "application", "x-test", filename=name, cte=file_encoding)
    seen = message.parse_mail(mail.as_bytes(policy=policy))
    assert (seen.subject, (seen.text or "").strip()) == ("Order 7", text.strip())
    assert (seen.html or "").strip() == (html or "").strip()
    assert [(file.name, file.content) for file in seen.files] == [
        (name, content) for name, content, _ in files
    ]
    assert not seen.defects
