"""Validates archives of runs by what their profile requires, without a network: ``validate_crate.py CRATE.zip ...``.

Prints for each, as JSON, whether it passed, how many checks did, and what was found.

The tool looks terms up at their addresses, and keeps the answers in a cache; here the cache is filled beforehand, from
the rocrate package, which holds the context of RO-Crate 1.1. Runs in an environment of its own (``make test-crate``).
"""

import io
import json
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator import services
from urllib3 import HTTPResponse

PROFILE = "workflow-run-crate"
TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": (files("rocrate") / "data/ro-crate.jsonld").read_text(encoding="utf-8"),
    # The one term of it that our archives use.
    "https://w3id.org/ro/terms/workflow-run/context": json.dumps({"@context": {"sha256": f"{TERMS}sha256"}}),
}


class Local(HTTPAdapter):
    """Answers from ``CONTEXTS``."""

    def send(self, request: PreparedRequest, *arguments: object, **named: object) -> Response:
        """Returns the context that stands at an address."""
        address = str(request.url)
        body = io.BytesIO(CONTEXTS[address].encode())
        headers = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(body, headers, 200, preload_content=False, request_url=address)
        return self.build_response(request, raw)


def validate(path: str, cache: Path) -> dict[str, object]:
    """Returns what the validator says of one archive."""
    settings = services.ValidationSettings(
        rocrate_uri=path,
        profile_identifier=PROFILE,
        requirement_severity="REQUIRED",
        offline=True,
        cache_path=cache,
    )
    result = services.validate(settings)
    issues = [f"{issue.check.identifier}: {issue.message}" for issue in result.issues]
    # A check that was left out has not been passed.
    skipped = [str(check.identifier) for check in result.skipped_checks]
    return {"passed": result.passed(), "checks": len(result.executed_checks), "skipped": skipped, "issues": issues}


def main() -> None:
    """Fills a cache and runs the validator."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
            session.mount("https://", Local())
            for address in CONTEXTS:
                session.get(address)
        print(json.dumps([validate(path, cache) for path in sys.argv[1:]], indent=1))


if __name__ == "__main__":
    main()
