"""Asks a running collector over its control socket."""

from pathlib import Path
from typing import Any

from weldgate_protocol.errors import LocalError
from weldgate_protocol.reasons import TOOL_CONNECTION
from weldgate_tools.site import config_file

__all__ = ["ask"]


def ask(place: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask a running collector over its control socket.

    Raises:
        LocalError: TOOL_CONNECTION, none runs there; else the number that the collector answered with.
    """
    from weldgate_collector import load_config, request

    socket = load_config(config_file(place)).control_socket
    try:
        answer = request(socket, asked)
    except OSError as error:
        raise LocalError(TOOL_CONNECTION, f"no collector answers at {socket}: {error.strerror or error}") from error
    except ValueError as error:  # it was stopped while it spoke
        raise LocalError(TOOL_CONNECTION, f"the collector at {socket} gave no whole answer") from error
    if not answer.get("ok", False) and "code" in answer:
        raise LocalError(int(answer["code"]), str(answer["error"]))
    return dict(answer)
