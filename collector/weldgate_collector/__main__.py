"""``python -m weldgate_collector CONFIG`` does what ``weldgate collector run`` does, without the tools."""

import sys

from weldgate_protocol.errors import WeldgateError

from .entry import run

__all__: list[str] = []


def _main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m weldgate_collector CONFIG\n")
        return 2
    try:
        run(sys.argv[1])
    except (WeldgateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
