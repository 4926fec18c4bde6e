"""Takes the picture of the page that the README shows: the first screen of the committed runs.

python tests/browser/screenshot.py site/index.html docs/figures/report.png
"""

import sys
from pathlib import Path

from chromium import NAMES, Browser, installed


def main(page: Path, picture: Path) -> None:
    """Writes a page's first screen as PNG."""
    program = installed()
    if program is None:
        raise SystemExit(f"no browser: none of {', '.join(NAMES)} is on the path")
    with Browser(program) as browser:
        browser.show(page.resolve(), 1280, 1000)
        picture.write_bytes(browser.picture())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
