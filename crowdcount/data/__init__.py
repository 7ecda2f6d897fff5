"""Pictures, head annotations and density maps: what comes from files."""
