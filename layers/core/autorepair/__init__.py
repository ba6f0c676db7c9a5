"""Lambda Auto-Repair: diagnoses and repairs failing Lambda functions, with proof and a record."""
