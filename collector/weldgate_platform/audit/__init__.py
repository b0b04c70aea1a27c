"""What was done, by whom: a log that is only appended to, each entry bound to the one before by a hash."""
