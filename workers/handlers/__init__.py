"""What each job type does."""
