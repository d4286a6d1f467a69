"""The canonical form of an email address, in which it is stored and compared.

It judges nothing: an address that reached us exists, whatever the rules for new addresses say. Two spellings
become one only if every mail system takes them for the same mailbox:

- Letters are lower-cased if their lower case has no other upper case. U+212A KELVIN SIGN, whose lower case is
  `k`, is not changed. Nor is any other character of the local part: it is not normalized.
- A domain is written in lower case and in Unicode, because the DNS takes both forms of an IDN for one name
  (UTS 46). It has no dot at its end.
- Quotes that a local part does not need are removed (RFC 5321, 4.1.2), and quotes that it needs are added.
- Control characters and invisible format characters are removed. No mail system gives out such an address.
"""

import hashlib
import re

MAX_ADDRESS = 320
"""Characters. Two addresses of four bytes per character fit into a row of a Postgres index (2,704 bytes)."""
MAX_LABEL = 63
"""Characters of a domain's label. Punycode takes quadratic time."""
SHORTENED_DOMAIN = "too-long.invalid"
"""The domain that stands for a longer address. Nobody can own it: https://www.rfc-editor.org/rfc/rfc2606"""

_BLANKS = re.compile(r"[\t-\r]+")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\ud800-\udfff]"
)
_USELESS_JOINERS = re.compile(
    "(?<![^\x00-\x7f])[\u200c\u200d]++|(?<![\u200c\u200d])[\u200c\u200d]++(?![^\x00-\x7f])"
)
"""Joiners beside ASCII. Other scripts need them."""

_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_ATOM = r'[^\s"(),:;<>\[\]\\]++'
_QUOTED_ADDRESS = re.compile(rf"({_QUOTED})\s*@(.*)", re.DOTALL)
_UNQUOTED = re.compile(_ATOM)
_WORDS = re.compile(rf"(?:{_QUOTED}|[^\s\"(),:;<>@\[\]\\.]++)(?:\.(?:{_QUOTED}|[^\s\"(),:;<>@\[\]\\.]++))*+")
_DOT_ATOM = re.compile(r'[^\s"(),:;<>@\[\]\\.]++(?:\.[^\s"(),:;<>@\[\]\\.]++)*+')
_NOT_IN_DOMAINS = r"\s\"(),:;<>@\[\]\\{}'\u2018-\u201f\u00ab\u00bb\u2039\u203a"
_DOMAIN = re.compile(rf"[^{_NOT_IN_DOMAINS}]++")
_LABEL = re.compile(rf"[^{_NOT_IN_DOMAINS}.]++")
_DOMAIN_LITERAL = re.compile(r"\[[^\s\"(),;<>@\[\]\\]++\]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_STRING = re.compile(_QUOTED, re.DOTALL)
_UNSAFE = re.compile(r"[^\w.+-]")
_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
"""The full stops of other scripts, which UTS 46 takes for a dot."""


def canonical_email(text: str) -> str | None:
    """Return the canonical form of `local@domain`, or None if the text is not of this form.

    An address of more than MAX_ADDRESS characters becomes its beginning and a hash, at SHORTENED_DOMAIN.
    The canonical form of a canonical form is itself.
    """
    text = remove_invisible(_BLANKS.sub(" ", text)).strip()
    quoted = _QUOTED_ADDRESS.fullmatch(text)
    if quoted:
        local, domain_text = quoted[1], quoted[2]
    else:
        local, _, domain_text = text.rpartition("@")
    local = remove_invisible(local.strip())
    domain = _canonical_domain(remove_invisible(domain_text.strip()).strip())
    if not local.strip() or domain is None:
        return None
    address = f"{_canonical_local(local.strip())}@{domain}"
    return address if len(address) <= MAX_ADDRESS else _shorten(address)


def remove_invisible(text: str) -> str:
    """Return the text without the characters that cannot be seen, and that no address contains."""
    return _USELESS_JOINERS.sub("", _INVISIBLE.sub("", text))


def is_shortened(address: str) -> bool:
    """Whether a canonical form stands for an address that is too long. Nothing can be sent to it."""
    return address.endswith(f"@{SHORTENED_DOMAIN}")


def _shorten(address: str) -> str:
    digest = hashlib.sha256(address.encode()).hexdigest()[:40]
    return f"{_UNSAFE.sub('-', address[:64])}.{digest}@{SHORTENED_DOMAIN}"


def _canonical_local(local: str) -> str:
    is_quoted = '"' in local and _WORDS.fullmatch(local)
    if is_quoted:
        local = _QUOTED_STRING.sub(lambda match: _ESCAPE.sub(r"\1", match[0][1:-1]), local)
    content = _lower(local)
    if _DOT_ATOM.fullmatch(content) or (not is_quoted and _UNQUOTED.fullmatch(content)):
        return content
    # Any other local part needs quotes, or keeps those that it has: without them it is not valid, and the
    # sender's system may accept only this form.
    return '"' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _canonical_domain(domain: str) -> str | None:
    if _DOMAIN_LITERAL.fullmatch(domain):
        return domain.lower()
    labels = domain.translate(_DOTS).rstrip(".")
    if not _DOMAIN.fullmatch(labels):
        return None
    if labels.isascii() and "xn--" not in labels.lower():  # the usual case
        return labels.lower()
    canonical = ".".join(_canonical_label(label) for label in labels.split(".")).rstrip(".")
    return canonical if _DOMAIN.fullmatch(canonical) else None


def _canonical_label(label: str) -> str:
    """Return a label of a domain in Unicode and lower case. A malformed one is only lower-cased."""
    import idna  # here, because it takes 10 ms of a cold start

    lower = _lower(label)
    if len(label) > MAX_LABEL or (label.isascii() and not lower.startswith("xn--")):
        return lower
    try:
        decoded = lower[4:].encode().decode("punycode") if label.isascii() else label
        mapped: str = idna.uts46_remap(decoded, std3_rules=False, transitional=False)
        is_stable = mapped == idna.uts46_remap(remove_invisible(mapped), std3_rules=False, transitional=False)
        encoded = "xn--" + mapped.encode("punycode").decode()
    except (idna.IDNAError, UnicodeError):
        return lower
    if not is_stable or not _LABEL.fullmatch(mapped) or mapped.startswith("xn--"):
        return lower
    if label.isascii() and (mapped.isascii() or encoded != lower):
        return lower  # another label has this Unicode form
    return mapped


def _lower(text: str) -> str:
    """Lower-case the letters that differ from their lower case in nothing else."""
    if text.isascii():
        return text.lower()
    return "".join(lower if (lower := letter.lower()).upper() == letter else letter for letter in text)
