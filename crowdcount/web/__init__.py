"""The server that the local pages share, and the page and the interface of `crowdcount app`.

`guard` refuses who may not ask, `bodies` what is too large, `line` who comes when it is full; `pages` holds the files
of the pages and their texts by language, `serve` runs all of it. On these stand `app`, with the counting behind it
(`answers`), and the page of `crowdcount annotate` (`crowdcount.annotating`).

Starlette and uvicorn carry it rather than Python's own `http.server`: that one reads requests of any length, waits for
slow senders for ever and, by its own manual, is not meant to be reached by others.
"""
