"""Typed description of downloaded files: all that the stage ``download`` knows about a data set."""

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, PositiveInt, StringConstraints, WithJsonSchema, field_validator, model_validator

from emergent.config.base import Many, StrictModel

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


def _encrypted(address: str) -> str:
    """Returns an address from which what comes is what its owner sent."""
    if not re.match(r"https://[^\s/]+/\S+$", address):
        raise ValueError(
            "expected an address that begins with https://, since what comes by other ways can be changed on its way; "
            "look for another address, or supply the file through a mirror folder"
        )
    return address


WebAddress = Annotated[str, AfterValidator(_encrypted), WithJsonSchema({"type": "string", "pattern": "^https://"})]


class FileIdentity(StrictModel):
    """How one file is recognised, wherever it comes from.

    Attributes:
        name: file name under ``results/datasets/<dataset>/raw/``.
        bytes: exact size.
        sha256: SHA-256 in lower-case hexadecimal, null only where upstream publishes none.
        md5: MD5, for upstreams that publish nothing better (Zenodo, figshare).
    """

    name: FileName
    bytes: PositiveInt
    sha256: Sha256 | None
    md5: Md5 | None = None

    @model_validator(mode="after")
    def _has_a_digest(self) -> "FileIdentity":
        if self.sha256 is None and self.md5 is None:
            raise ValueError("needs sha256 or md5: a file that cannot be verified is not downloaded")
        return self

    def expectation(self) -> str:
        """Returns one line with name, bytes and digests, for error messages."""
        digests = [f"{kind} {value}" for kind, value in (("sha256", self.sha256), ("md5", self.md5)) if value]
        return f"{self.name}  {self.bytes} bytes  {', '.join(digests)}"


class RawFile(FileIdentity):
    """One file and where it is found.

    Attributes:
        urls: addresses tried in this order; empty for files that exist only in a mirror folder.
        mirror: path below a mirror folder; ``<dataset>/<name>`` and ``<name>`` are tried too.
    """

    urls: Many[WebAddress]
    mirror: str

    @field_validator("mirror")
    @classmethod
    def _stays_below_the_mirror(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise ValueError("must be a relative path below the mirror folder, without '..'")
        return value

    def identity(self) -> FileIdentity:
        """Returns how the file is recognised."""
        return FileIdentity(name=self.name, bytes=self.bytes, sha256=self.sha256, md5=self.md5)


class DownloadConfig(StrictModel):
    """What drives the downloads of one data set: an address that has moved is no reason to fetch a file again."""

    files: Many[FileIdentity]
