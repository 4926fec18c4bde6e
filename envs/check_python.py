"""Says in one line what keeps this Python from setting the project up; run by ``make setup``, by any Python 3."""

import sys

OLDEST, NEWEST = (3, 11), (3, 14)  # what the locks in this folder resolve for


def problem() -> str:
    """Returns the one line for the user, or an empty string when this Python will do."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return (
            f"Python 3.{OLDEST[1]} to 3.{NEWEST[1]} is needed, but this is {sys.version.split()[0]}. "
            "Name another one, e.g.: make PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        name = f"python3.{sys.version_info[1]}"
        return f"{name} cannot make virtual environments. On Debian and Ubuntu: sudo apt install {name}-venv"
    return ""


if __name__ == "__main__":
    message = problem()
    if message:
        sys.exit("error: " + message)
