"""How a call's time is divided among the providers that may still have to be asked."""

FIRST_SHARE = 0.6  # of what is left, while somebody could still stand in
AT_LEAST_S = 0.05


def try_s(*, left_s: float, provider_s: float, followers: int) -> float:
    """Seconds that one try may take: the provider's own limit, but never so much that no follower gets a chance."""
    fair_s = left_s * FIRST_SHARE if followers > 0 else left_s
    return max(AT_LEAST_S, min(provider_s, fair_s))
