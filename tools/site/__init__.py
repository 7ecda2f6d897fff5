"""The site: the course, the task pages and the API reference as static pages that work from a folder, without network.

    python -m tools.site

It needs `pip install ".[site]"`, downloads nothing, runs no notebook (their committed outputs are shown) and leaves the
pages in build/site/html.
"""
