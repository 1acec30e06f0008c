"""Reports for other programs: SARIF, JUnit, CycloneDX, GitLab and Markdown."""
