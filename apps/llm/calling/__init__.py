"""The course of one call: who is asked, how often, what is made of the answer, and what is told of it."""
