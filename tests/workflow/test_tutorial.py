"""docs/tutorial.md, done literally on the tiny project."""

import re

from tiny_project import ROOT, Project

TEXT = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


def test_every_command_of_the_tutorial_works(finished: Project) -> None:
    commands = re.findall(r"^```bash\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert len(commands) == 6
    for step, command in enumerate(commands, 1):
        if "members=" in command:
            # As the reader's ensemble, this one grows by one block.
            command = re.sub(r"members=\d+", "members=6", command)
        if step == len(commands):
            # Between the two, as the text says.
            finished.edit("config/experiments/ising.yaml", "learning_rate: 0.5", "learning_rate: 0.25")
        done = finished.shell(command)
        assert done.returncode == 0, f"{command}{done.stdout}"
    assert "train" in done.stdout
    assert "prepare" not in done.stdout
