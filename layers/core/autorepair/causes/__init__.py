"""Root causes: pure rules from evidence to a finding, or to nothing."""
