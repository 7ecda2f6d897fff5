"""Slides for a class, one deck a notebook, made from the notebook itself.

    python -m tools.slides

What is to be seen goes on the slides: headings, predictions, figures, tables, formulas, exercises. The prose between
becomes the speaker's notes (press S in the browser). The decks, in build/slides, work from a folder without network.
"""
