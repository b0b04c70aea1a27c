"""What the module starts: the firmware's own entry point. Whatever comes back from it restarts the module.

The firmware resets the module itself once it has a board. What fails before, down to a file that can't be imported,
ends here: the relay's pin was never driven, no watchdog runs, nothing was written. The REPL would leave it at that.
"""

import sys
import time

import machine

PAUSE_S = 10

try:
    from weldgate_firmware import main

    main.run()
except Exception as error:
    sys.print_exception(error)  # type: ignore[attr-defined]  # MicroPython's sys has it, CPython's has not
finally:
    time.sleep(PAUSE_S)
    machine.reset()
