"""Which addresses may be opened, and how they are shown: so that an eye sees where they lead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

_UNSEEN = re.compile(r"[\x00-\x20\x7f]")
_ASCII = "!#$%&'()*+,/:;=?@[]~-._"
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")  # a name, or IPv6 in brackets


@dataclass(frozen=True)
class Link:
    """An address in ASCII, and its host (or mail address): what someone should look at."""

    address: str
    host: str


def check_link(address: str) -> Link | None:
    """The link behind `address`, in punycode; None unless it is http, https or mailto with a sound host."""
    address = _UNSEEN.sub("", address)
    try:
        parts = urlsplit(address)
        if parts.scheme == "mailto" and "@" in parts.path:
            shown = quote(parts.path, safe=_ASCII)
            return Link(urlunsplit(("mailto", "", shown, quote(parts.query, safe=_ASCII), "")), shown)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        host = parts.hostname.encode("idna").decode("ascii")
        if not _HOST.fullmatch(host):
            return None
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # a broken port or bracket, or a host that no name service knows (UnicodeError is a ValueError)
        return None
    named = f"[{host}]" if ":" in host else host
    user = quote(parts.netloc.rpartition("@")[0], safe=_ASCII)
    place = f"{user}@{named}{port}" if user else named + port
    path, query, fragment = (quote(part, safe=_ASCII) for part in (parts.path, parts.query, parts.fragment))
    return Link(urlunsplit((parts.scheme, place, path, query, fragment)), host)
