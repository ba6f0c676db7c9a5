"""Values and rules of the domain: no AWS, no clock, no environment."""
