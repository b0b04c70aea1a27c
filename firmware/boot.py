"""Runs first on the module; main.py follows. Nothing is powered here: the relay's pin is pulled down by hardware."""

import micropython

micropython.kbd_intr(-1)  # a byte 03 on the console, line noise perhaps, must not end at the REPL, imports included

import gc  # noqa: E402 - only now can nothing interrupt any more

# What an import leaves behind is collected before it splits the heap: measured with import + 96 KB on 64 bits, the
# largest free piece after the import is 90 KB with this and 4 KB without. `main` switches it off again.
gc.threshold(8192)  # type: ignore[attr-defined]  # MicroPython's gc has it, CPython's has not
