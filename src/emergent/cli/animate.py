"""Animates one figure from the summaries that it needs: a GIF with a frame for every checkpoint of training."""

import argparse
from pathlib import Path

from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress
from emergent.config.figures import read_entry
from emergent.figures.inputs import load_inputs
from emergent.figures.plots import PLOTS, animate
from emergent.figures.save_animation import save_animation


def main() -> None:
    """Parses the command line, draws frame after frame and saves."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.animate", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the figure's entry of figures.yaml, as JSON")
    parser.add_argument("--summary", action="append", required=True, metavar="EXPERIMENT=PATH", help="repeatable")
    parser.add_argument("--output", type=Path, required=True, help="GIF to write")
    arguments = parser.parse_args()
    entry = read_entry(arguments.config)
    animation = animate(entry, load_inputs(entry, PLOTS[entry.plot], parse_pairs(arguments.summary, "--summary")))
    save_animation(animation, arguments.output, progress(len(animation.frames), "frames", entry.name))
    print(f"{entry.id} {arguments.output}")


if __name__ == "__main__":
    main_guard(main)
