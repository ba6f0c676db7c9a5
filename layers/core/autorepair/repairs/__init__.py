"""Planners: pure rules from a diagnosis to a change, or to a typed refusal."""
