"""Readers of the field's data sets, one module each, from the layouts that their authors publish.

A reader is a function `read(folder, half, tell)`: `folder` is the data set's own, `half` is `"train"`, `"val"` or
`"test"`, and `tell` is called for each fault (see `crowdcount.data.records`). It returns the records of this half, or
None where the half is not there; a data set without halves of its own gives all as `"train"`.
`crowdcount.data.datasets` names them.
"""
