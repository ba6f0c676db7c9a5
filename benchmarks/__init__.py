"""Simulations of what the sizes, the verdicts and their error rates come to."""
