"""Is a file the one that the registry describes? Bytes first, because that is free, then the digests."""

from pathlib import Path

from pooch import file_hash

from emergent.config.downloads import FileIdentity


def find_mismatch(path: Path, expected: FileIdentity) -> str | None:
    """Returns why ``path`` is not the expected file, or None when size and every known digest agree."""
    found = path.stat().st_size
    if found != expected.bytes:
        return f"{found} bytes, expected {expected.bytes}"
    for algorithm, digest in (("sha256", expected.sha256), ("md5", expected.md5)):
        if digest is not None and (computed := file_hash(str(path), alg=algorithm)) != digest:
            return f"{algorithm} {computed}, expected {digest}"
    return None
