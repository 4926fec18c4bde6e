"""What failed in a run, and why, in one line a job: its own words are far up in what Snakemake prints about it."""

import re
import signal
from pathlib import Path

MOST_SHOWN = 10


def failures(log: Path) -> list[str]:
    """Returns a line for each job that failed.

    Args:
        log: of Snakemake.
    """
    text = log.read_text(encoding="utf-8", errors="replace")
    # A job's exit status stands before what else is said of it.
    parts = re.split(r"^Error in (?:rule|checkpoint|group) (\w+):$", text, flags=re.MULTILINE)
    lines = []
    for before, rule, after in zip(parts[0::2], parts[1::2], parts[2::2], strict=False):
        fields = dict(re.findall(r"^    (\w+): (.*)$", after.partition("\n\n")[0], flags=re.MULTILINE))
        status = re.findall(r"returned non-zero exit status (\d+)", before)
        output = fields.get("output", "").split(", ")[0].removesuffix(" (update)")
        reason = _reason(fields.get("log", "").partition(" (check log")[0], int(status[-1]) if status else 1)
        lines.append(f"{rule} {output}: {reason}".replace(f"{output}: {output}: ", f"{output}: "))
    shown = list(dict.fromkeys(lines))
    if len(shown) > MOST_SHOWN:
        shown[MOST_SHOWN:] = [f"... and {len(shown) - MOST_SHOWN} more; all is in {log}"]
    return shown


def _reason(log: str, status: int) -> str:
    """Returns why a job failed: in its own words, or by the signal that ended it, or as the end of its log."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    if own := re.findall(r"^error: (.*)", text, flags=re.MULTILINE | re.DOTALL):
        return own[-1].strip()
    # A shell adds 128 to the number of the signal.
    if status > 128:
        name = signal.Signals(status - 128).name if status - 128 in set(signal.Signals) else f"signal {status - 128}"
        why = ", by hand or because memory ran out" if status - 128 == signal.SIGKILL else ""
        return f"was killed ({name}{why}). Run again: what is finished is kept."
    last = [line for line in re.split(r"[\r\n]+", text) if line.strip()][-1:]
    return f"ended with status {status}: {last[0].strip() if last else 'no message'} (log: {log})"
