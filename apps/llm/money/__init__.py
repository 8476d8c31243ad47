"""What calls cost, and what may be spent: tokens, prices, budgets, the books."""
