"""From a picture to a number with a range: counts, doubts, heads, comparison, report."""
