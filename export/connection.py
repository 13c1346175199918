"""Requests to a Hub: what may pass is tried again, every refusal is one sentence, the token stays with the endpoint.

httpx comes with huggingface_hub, whose session knows the proxies and certificates of the environment.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
from huggingface_hub import constants, get_session, get_token

from models.errors import UserFacingError

RETRIES = 5  # in a row without a byte
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE = 300.0  # seconds; the Hub counts requests in windows of five minutes


class HubError(UserFacingError):
    """A model that cannot be fetched, or is not in the cache where only that may be used."""


class PassingError(Exception):
    """A failure that may be over at the next try; `pause` is how many seconds the server asks for."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Where models come from and where they are kept."""

    endpoint: str
    cache: Path
    token: str | None = None  # sent to the endpoint alone, never to where it redirects
    timeout: float = 10.0  # seconds without a byte
    pause: float = 1.0  # seconds before the first retry, doubled before each further one

    @classmethod
    def from_environment(cls) -> Hub:
        """HF_ENDPOINT, HF_HOME and HF_HUB_CACHE, HF_TOKEN or the token that `hf auth login` keeps."""
        return cls(
            endpoint=constants.ENDPOINT or "https://huggingface.co",
            cache=Path(constants.HF_HUB_CACHE),
            token=None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token(),
            timeout=float(constants.HF_HUB_DOWNLOAD_TIMEOUT),
        )

    @property
    def host(self) -> str:
        """The endpoint as sentences name it."""
        return urlsplit(self.endpoint).netloc or self.endpoint


class Connection:
    """Requests about one revision of one repository. Every method raises HubError for what no retry mends.

    `cached` says that a copy fetched before could do in place of an endpoint that cannot be reached.
    """

    def __init__(self, hub: Hub, repo: str, revision: str, *, cached: bool) -> None:
        self._hub = hub
        self._repo = repo
        self._revision = revision
        self._cached = cached
        if not _is_address(hub.endpoint):
            raise HubError(f"{hub.endpoint} is no address of a Hub; correct HF_ENDPOINT or unset it.")
        try:
            self._session = get_session()
        except (ImportError, ValueError) as error:  # a scheme that httpx does not know, or lacks a package for
            raise HubError(f"The proxy in the environment cannot be used ({_line(error)}); correct it.") from None

    def ask(self, url: str) -> httpx2.Response:
        """A small answer with its body."""
        return self._ask(url, {}, whole=True)

    def describe(self, url: str) -> tuple[int | None, str]:
        """Size in bytes and etag of one file; for a large one they stand in the redirection to it."""
        last = self._ask(url, {"Range": "bytes=0-0"}, whole=False)  # storage that signs GET refuses HEAD
        for response in (*last.history, last):
            size, etag = response.headers.get("X-Linked-Size", ""), response.headers.get("X-Linked-Etag", "")
            if size and etag:
                break
        else:
            length = last.headers.get("Content-Length", "")
            size = last.headers.get("Content-Range", length).rpartition("/")[2]
            etag = last.headers.get("ETag", "")
        return int(size) if size.isdigit() else None, etag.removeprefix("W/").strip('"')

    @contextlib.contextmanager
    def open(self, url: str, start: int) -> Iterator[tuple[int, Iterable[bytes]]]:
        """The bytes of a file from `start` on, and where they begin: at 0 where the server could not resume.

        Raises PassingError, also while the bytes are read, for what may be over at the next try.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._translated(), self._session.stream("GET", url, **self._options(headers)) as response:
            if response.status_code == 416:  # what was kept is of another file
                yield 0, ()
                return
            self._check(response)
            if response.status_code == 206:
                begin = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
                yield (start, response.iter_bytes()) if begin == str(start) else (0, ())
            else:
                yield 0, response.iter_bytes()

    def wait(self, failures: int, failure: PassingError) -> None:
        """Pause before the next try after so many failures in a row."""
        time.sleep(min(_LONGEST_PAUSE, max(failure.pause, self._hub.pause * 2 ** (failures - 1))))

    def no_hub(self) -> HubError:
        """The error for an answer that makes no sense."""
        return HubError(f"{self._hub.host} does not answer as a Hub does; check HF_ENDPOINT and the proxy, if any.")

    def _ask(self, url: str, headers: Mapping[str, str], *, whole: bool) -> httpx2.Response:
        failures = 0
        while True:
            try:
                with self._translated(), self._session.stream("GET", url, **self._options(headers)) as response:
                    self._check(response)
                    if whole:
                        response.read()
                    return response
            except PassingError as error:
                failures += 1
                # Without a network there is no first answer to wait for.
                if failures > RETRIES or isinstance(error.__cause__, httpx2.ConnectError):
                    raise self._unreachable(str(error)) from None
                self.wait(failures, error)

    def _options(self, headers: Mapping[str, str]) -> dict[str, Any]:
        own = {"User-Agent": "falconet", "Accept-Encoding": "identity"}  # a compressed answer cannot be resumed
        if self._hub.token:
            own["Authorization"] = f"Bearer {self._hub.token}"  # httpx drops it where a redirection leaves the host
        return {"headers": own | dict(headers), "timeout": self._hub.timeout, "follow_redirects": True}

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """httpx's errors as PassingError or HubError."""
        try:
            yield
        except httpx2.ProxyError as error:
            raise self._unreachable(_line(error)) from None
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.DecodingError, httpx2.TooManyRedirects):
            raise self.no_hub() from None
        except httpx2.TransportError as error:
            raise PassingError(_line(error)) from error

    def _check(self, response: httpx2.Response) -> None:
        if response.is_success:
            return
        status, code = response.status_code, response.headers.get("X-Error-Code", "")
        if status in _PASSING:
            asked = response.headers.get("Retry-After", "")
            raise PassingError(f"status {status}", float(asked) if asked.isdigit() else 0.0)
        raise self._refusal(status, code)

    def _refusal(self, status: int, code: str) -> HubError:
        hub, repo = self._hub, self._repo
        if status == 407:
            return self._unreachable("the proxy asks for a name and password")
        if code == "GatedRepo":
            return HubError(
                f"{repo} is gated: accept its terms at {hub.endpoint}/{repo}, set HF_TOKEN to a token of that account, "
                "and try again."
            )
        if code == "RevisionNotFound":
            return HubError(
                f"{repo} has no revision {self._revision} on {hub.host}; choose another with --revision, or name "
                "a local folder."
            )
        if code == "RepoNotFound" or (status == 404 and code != "EntryNotFound"):
            return HubError(
                f"{repo} is not on {hub.host}, or is private there; check HF_ENDPOINT, or set HF_TOKEN to a token that "
                "may read it."
            )
        if status in (401, 403):
            remedy = (
                "that may read it" if hub.token else f"of an account that accepted the terms at {hub.endpoint}/{repo}"
            )
            return HubError(f"{hub.host} refuses to give {repo} (status {status}); set HF_TOKEN to a token {remedy}.")
        return HubError(f"{hub.host} refuses to give {repo} (status {status}); try later, or name a local folder.")

    def _unreachable(self, reason: str) -> HubError:
        address, proxies = urlsplit(self._hub.endpoint), getproxies()
        proxy = proxies.get(address.scheme) or proxies.get("all")
        if proxy and not proxy_bypass(address.hostname or ""):
            place = urlsplit(proxy).netloc.rpartition("@")[2] or proxy  # without its password
            remedy = f"check the proxy {place} (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)"
        else:
            remedy = "check the network"
        remedy += " and try again"
        option = ", or with --offline to use the copy in the cache" if self._cached else ""
        return HubError(f"{self._hub.host} cannot be reached ({reason}); {remedy}.", option=option)


def _is_address(endpoint: str) -> bool:
    try:
        address = urlsplit(endpoint)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        return False


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
