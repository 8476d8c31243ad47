"""A believable graph of a bioinformatics centre, made from a seed: no real persons, any size. The generator is pure."""
