"""Language models: one door to every provider, what a call may cost, and which model answers whom (SPEC 7.2, 8, 11)."""
