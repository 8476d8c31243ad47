"""The six layers of the gate, and the walls behind them."""

GATE: dict[str, tuple[str, str]] = {}
