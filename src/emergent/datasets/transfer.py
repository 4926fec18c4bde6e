"""One file over HTTPS into ``<name>.part``: resumed where it stopped, retried while that makes sense.

Resuming works across processes: a part left by a killed run is continued by the next one. Nothing here decides
whether the bytes are right; see ``emergent.datasets.verify``.
"""

import errno
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin

import requests
from pooch import HTTPDownloader
from tqdm import tqdm

from emergent.errors import ResourceError

_MAX_PAUSE = 60.0
_CHUNK = 1 << 15  # bytes; what came after the last whole chunk is lost when a connection is cut
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Refusal(requests.RequestException):
    """What an address does is not what is expected of it; it will not do better at the next attempt."""


@dataclass(frozen=True)
class Patience:
    """How long to insist on one address.

    Attributes:
        attempts: attempts in a row that bring no new byte before giving up.
        first_pause: seconds before the second attempt; doubled each time, at most a minute.
        timeout: seconds to connect, and between two chunks.
        progress: draw a progress bar on stderr.
    """

    attempts: int = 4
    first_pause: float = 1.0
    timeout: float = 30.0
    progress: bool = True


def transfer(url: str, part: Path, total: int, patience: Patience) -> str | None:
    """Completes ``part`` from ``url``; returns None, or the reason why it could not be completed.

    Args:
        url: https address; it may redirect to others, but to https alone.
        part: file to append to; need not exist.
        total: bytes that the complete file has.
        patience: retry settings.

    Raises:
        ResourceError: the disk is full.
    """
    reason = "nothing received"
    fruitless, best = 0, _size(part)
    while fruitless < patience.attempts:
        if fruitless:
            time.sleep(min(patience.first_pause * 2 ** (fruitless - 1), _MAX_PAUSE))
        if _size(part) > total:
            part.unlink()
        if _size(part) == total:
            return None
        try:
            _append(url, part, total, patience)
            reason = f"ended after {_size(part)} of {total} bytes"
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            reason = f"HTTP {status}"
            if status == 416:  # the part does not fit what the server has
                part.unlink(missing_ok=True)
            elif status not in _TRANSIENT_STATUS:
                return reason
        except (_Refusal, requests.TooManyRedirects) as error:
            return str(error)
        except requests.RequestException as error:
            reason = _describe(error, patience)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceError(
                    f"{part}: the disk is full ({total} bytes needed). Free some space and run again to resume."
                ) from None
            raise
        if _size(part) == total:
            return None
        fruitless = 0 if _size(part) > best else fruitless + 1
        best = max(best, _size(part))
    return f"{reason} ({patience.attempts} attempts in a row without progress)"


class _Bounded:
    """A file that takes no more bytes than it should have: a server that sends without end must not fill the disk."""

    def __init__(self, stream: IO[bytes], total: int) -> None:
        self._stream = stream
        self._total = total
        self.flush = stream.flush

    def write(self, chunk: bytes) -> None:
        """Appends a chunk.

        Raises:
            _Refusal: it is more than the rest of the file.
        """
        if self._stream.tell() + len(chunk) > self._total:
            # What came from here is no part of the file.
            self._stream.truncate(0)
            raise _Refusal(f"sends more than the expected {self._total} bytes")
        self._stream.write(chunk)


def _append(url: str, part: Path, total: int, patience: Patience) -> None:
    with open(part, "ab") as stream:
        start = stream.tell()

        def examine(response: requests.Response, *_: Any, **__: Any) -> None:
            target = urljoin(response.url, response.headers.get("Location", ""))
            if response.is_redirect and not target.startswith("https://"):
                raise _Refusal(f"redirects to {target}, expected https")
            # Not 206: the server sends the whole file and not the rest that was asked for.
            if start and response.status_code == 200:
                stream.truncate(0)

        # Identity: a server that compresses on the fly would change the bytes that the digest is about.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        name = part.name.removesuffix(".part")
        # pooch sets the total to what is still missing as soon as it knows; 1 keeps tqdm from complaining until then.
        bar = (
            tqdm(desc=name, total=1, unit="B", unit_scale=True, mininterval=1.0, delay=0.5)
            if patience.progress
            else None
        )
        download = HTTPDownloader(
            progressbar=bar or False,
            chunk_size=_CHUNK,
            headers=headers,
            timeout=patience.timeout,
            hooks={"response": examine},
        )
        try:
            download(url, _Bounded(stream, total), None)
        finally:
            if bar is not None:
                bar.close()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _describe(error: requests.RequestException, patience: Patience) -> str:
    """Returns the reason in a few words; requests wraps it in several layers of object representations."""
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS certificate or handshake refused"
    # While the body is read requests calls a time-out a connection error.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"nothing came for {patience.timeout:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "connection cut"
    if isinstance(error, requests.ConnectionError):
        cause = str(error).rsplit("] ", 1)[-1].strip("()'\" ")
        return f"no connection ({cause})" if len(cause) < 60 else "no connection"
    return f"{type(error).__name__}: {error}"
