"""CloudFormation for the lab: `sam deploy` runs against it unchanged."""
