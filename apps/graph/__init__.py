"""The graph database, spoken to over Bolt."""
