"""People and their certificates: three issuers' data, what holds today, and what does not fit together."""
