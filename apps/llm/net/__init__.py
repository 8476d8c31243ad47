"""The only way out to a provider: checked addresses, bounded answers, one client factory (security R32)."""
