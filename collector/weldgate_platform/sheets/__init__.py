"""Spreadsheets in: read, cleaned, checked row by row, applied whole or not at all, and taken back."""
