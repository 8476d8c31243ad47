"""What layers 6 and 7 hold back (SPEC 2.6, 2.7)."""

MAX_RESPONSE_BYTES = 8 * 1024 * 1024  # a larger page is cut, any other answer refused
