"""The four phases of a run, pure: classify, plan, step, finalize. What is outside comes through Ports (SPEC 7.1)."""
