"""What the module starts: the firmware's own entry point."""

from weldgate_firmware import main

main.run()
