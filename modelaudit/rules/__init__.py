"""Facts to findings: one package for each subject of the rules, and what runs them."""
