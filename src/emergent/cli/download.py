"""Verb ``download``: one file of one data set, verified, from a mirror folder or from the network."""

import argparse
import json
import os
from pathlib import Path

from emergent.cli._run import main_guard
from emergent.config.base import hint, validate
from emergent.config.datasets import load_registry
from emergent.config.downloads import DownloadConfig
from emergent.datasets.download import fetch
from emergent.errors import ConfigError


def main() -> None:
    """Parses the flags and fetches one file."""
    parser = argparse.ArgumentParser(prog="emergent.cli.download", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON: how the files of the data set are recognised")
    parser.add_argument("--registry", type=Path, required=True, help="config/datasets.yaml, for their addresses")
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--file", required=True, help="which of its files")
    parser.add_argument("--mirror", default="", help="mirror folder; empty: take EMERGENT_MIRROR if that is set")
    parser.add_argument("--output", type=Path, required=True, help="final path of the file")
    arguments = parser.parse_args()

    try:
        content = json.loads(arguments.config.read_text(encoding="utf-8"))
        config = validate(DownloadConfig, {"files": content["files"]}, str(arguments.config))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{arguments.config}: not a download configuration: {error}") from None
    expected = {file.name: file for file in config.files}
    if arguments.file not in expected:
        known = sorted(expected)
        raise ConfigError(
            f"{arguments.dataset}: no file {arguments.file!r}{hint(arguments.file, known)}. Its files: {known}."
        )
    files = load_registry(arguments.registry).entry(arguments.dataset).files
    found = [file for file in files if file.identity() == expected[arguments.file]]
    if not found:
        raise ConfigError(
            f"{arguments.registry}: datasets.{arguments.dataset}: expected {expected[arguments.file].expectation()} "
            f"(from {arguments.config}). The registry was edited while the run was going: run again."
        )
    mirror = arguments.mirror or os.environ.get("EMERGENT_MIRROR", "")
    source = fetch(
        arguments.dataset,
        found[0],
        arguments.output,
        mirror=Path(mirror) if mirror else None,
        all_files=files,
    )
    print(f"{arguments.output}: verified, from {source}")


if __name__ == "__main__":
    main_guard(main)
