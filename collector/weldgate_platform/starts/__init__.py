"""Scan to start: may this person start this machine now, and the signed token that says so."""
