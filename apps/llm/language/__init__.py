"""What English and Italian prose says, by rules: terms, sums, steps, and what a request is for. Pure; asks nobody."""
