"""Who is asking: token verification, the principal, the built-in OIDC issuer."""
