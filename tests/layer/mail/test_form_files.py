"""The files of a mail that is delivered as a form have the best of the names that the form gives them."""

import pytest

from messaging.mail import form
from messaging.mail.form import FileDescription
from messaging.mail.form_data import Field, parse_form

NO_NAME = FileDescription(None, None)
PROVIDER = FileDescription("provider.pdf", None)
EXTENDED = "filename*=UTF-8''M%C3%BC.pdf"


@pytest.mark.parametrize(
    ("disposition", "description", "name"),
    [
        pytest.param('; filename="a.pdf"', NO_NAME, "a.pdf", id="a name"),
        pytest.param('; filename="a.pdf"', PROVIDER, "provider.pdf", id="the provider's name"),
        pytest.param(f'; filename="M.pdf"; {EXTENDED}', NO_NAME, "Mü.pdf", id="an extended name"),
        pytest.param(f"; {EXTENDED}; filename=M.pdf", NO_NAME, "Mü.pdf", id="it comes first"),
        pytest.param(f"; {EXTENDED}", NO_NAME, "Mü.pdf", id="only an extended name"),
        pytest.param(f"; {EXTENDED}", PROVIDER, "Mü.pdf", id="an extended and the provider's"),
        pytest.param('; filename="a%22b.pdf"', NO_NAME, 'a"b.pdf', id="a quote as browsers write it"),
        pytest.param("; filename=a b.pdf", NO_NAME, "a b.pdf", id="no quotes"),
        pytest.param('; filename="=?utf-8?q?M=C3=BC.pdf?="', NO_NAME, "Mü.pdf", id="an encoded word"),
        pytest.param('; filename=""', NO_NAME, "attachment.pdf", id="an empty name"),
        pytest.param('; filename="path/"', NO_NAME, "attachment.pdf", id="a folder"),
        pytest.param('; filename=".."', NO_NAME, "attachment.pdf", id="dots"),
        pytest.param('; filename="path\\..\\"', NO_NAME, "attachment.pdf", id="dots after a folder"),
        pytest.param("", NO_NAME, "attachment.pdf", id="no name"),
        pytest.param("", PROVIDER, "provider.pdf", id="only the provider's name"),
    ],
)
def test_a_file_has_the_best_of_its_names(disposition: str, description: FileDescription, name: str) -> None:
    head = (
        f'Content-Disposition: form-data; name="attachment-1"{disposition}\r\nContent-Type: application/pdf'
    )
    fields = parse_form(f"--b\r\n{head}\r\n\r\n1\r\n--b--\r\n".encode())
    [file] = form.files(form.fields_by_name(fields), {"attachment-1": description}).values()
    assert (file.name, file.content) == (name, b"1")


def test_an_empty_content_id_names_no_file() -> None:
    files = form.files({"attachment-1": Field("attachment-1", b"1")}, {})
    fields_by_cid = {
        "<>": "attachment-1",
        " ": "attachment-1",
        "<a@b>": "attachment-1",
        "c@d": "attachment-2",
    }
    assert form.content_ids(fields_by_cid, files) == {"a@b": 0}
