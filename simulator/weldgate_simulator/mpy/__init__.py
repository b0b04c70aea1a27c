"""What runs inside the real interpreter beside the firmware: stand-ins for the modules that only an ESP32 has."""
