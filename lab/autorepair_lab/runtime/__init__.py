"""Runs Lambda code for real: AWS's Runtime Interface Emulator, one process per environment."""
