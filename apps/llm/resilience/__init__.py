"""What to do when a provider fails, decided without asking anybody: no clock, no network, no database in here."""
