"""The thread that every upstream has, with a pipe by which others wake it."""

import contextlib
import socket
import threading

__all__ = ["Worker"]


class Worker:
    """A thread that runs until it is stopped, and learns what is committed meanwhile; ``_run`` is the upstream's.

    Attributes:
        name: the upstream's, in the store and the log.
    """

    def __init__(self, name: str, committed: int) -> None:
        """Make the thread; ``start`` starts it.

        Args:
            name: see above.
            committed: last row that is durable by now.
        """
        self.name = name
        self._committed = committed
        self._stopping = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"upstream-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def committed(self, index: int) -> None:
        """Learn that rows are durable through ``index``; from any thread."""
        self._committed = index
        self._wake()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop the thread; the cursor is stored before."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._wake_in.close()
        self._wake_out.close()

    def _wake(self) -> None:
        # A full pipe wakes as well as one more byte would; a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        raise NotImplementedError
