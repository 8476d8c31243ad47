"""Tables of reports, and who may touch them."""
