"""The description of the server's interface, in OpenAPI 3.1: what programs may ask and what they get."""

from __future__ import annotations

from crowdcount import __version__

_NUMBER, _TEXT, _WHOLE = {"type": "number"}, {"type": "string"}, {"type": "integer"}
_POINTS = {"type": "array", "items": {"type": "array", "items": _NUMBER}}

_RECORD = {
    "type": "object",
    "required": ["picture"],
    "properties": {
        "picture": {**_TEXT, "description": "the name that was given"},
        "count": {**_NUMBER, "description": "number of people"},
        "low": {**_NUMBER, "description": "lower end of the range, where the model's card holds a calibration"},
        "high": {**_NUMBER, "description": "upper end of the range"},
        "coverage": {**_NUMBER, "description": "share of the ranges that hold the truth"},
        "width": {**_WHOLE, "description": "pixels of the upright picture"},
        "height": {**_WHOLE, "description": "pixels of the upright picture"},
        "scale": {**_NUMBER, "description": "the picture was counted at so many times its size"},
        "model": _TEXT,
        "seconds": _NUMBER,
        "warnings": {"type": "array", "items": _TEXT, "description": "reasons to doubt the count"},
        "error": {**_TEXT, "description": "why there is no count"},
        "code": {**_TEXT, "description": "beside an error: a word for it"},
        "rows": {**_WHOLE, "description": "with details: rows of the density map, cells of 8 x 8 pixels"},
        "columns": {**_WHOLE, "description": "with details: its columns"},
        "density": {**_TEXT, "description": "with details: people a cell, little-endian float32 in base64, by row"},
        "heat": {**_TEXT, "description": "with details: PNG in base64 to lay over the picture, a pixel a cell"},
        "heads": {**_POINTS, "description": "with details: approximate positions [x, y] in pixels"},
        "taken": {"type": ["string", "null"], "description": "with details: when the picture was taken"},
        "kind": {"type": ["object", "null"], "description": "with details: for the ranges of zones, see /api/zones"},
        "other": {"type": ["number", "null"], "description": "with details: for the ranges of zones, see /api/zones"},
    },
}
_REPORT = {
    "type": "object",
    "required": ["entries"],
    "properties": {
        "title": _TEXT,
        "entries": {
            "type": "array",
            "description": "records as /api/count gives them; `thumbnail` is a JPEG in base64",
            "items": {"$ref": "#/components/schemas/Record"},
        },
    },
}
_ZONES = {
    "type": "object",
    "required": ["width", "height", "density", "zones"],
    "properties": {
        "width": _WHOLE,
        "height": _WHOLE,
        "density": {**_TEXT, "description": "as /api/count gives it with details"},
        "zones": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": _TEXT, "polygon": _POINTS}},
        },
        "ground": {
            "type": ["object", "null"],
            "properties": {"points": {**_POINTS, "description": "four or more [x, y, X, Y], X and Y in meters"}},
        },
        "range": {
            "type": ["object", "null"],
            "description": "for ranges: model, coverage, scale, kind and other, as /api/count gives them with details",
            "required": ["model", "coverage", "scale", "kind"],
        },
    },
}


def description() -> dict:
    """The description, as `/openapi.json` answers it."""
    strangers = {
        "401": _answer("the token is missing or wrong"),
        "403": _answer("Host or Origin are not this server's"),
        "500": _answer("a mistake of the server; its terminal says which"),
    }
    refusals = {
        **strangers,
        "400": _answer("the body ends early, or is not the JSON that is wanted"),
        "408": _answer("the body came too slowly"),
        "413": _answer("more bytes than are taken"),
        "415": _answer("another Content-Type than wanted"),
        "422": _answer("the picture, or what was sent, cannot be used; the sentence says why"),
        "503": _answer("the line is full; the header Retry-After says when to come back"),
    }
    text = {"type": "object", "additionalProperties": True}
    query = [
        _parameter("name", _TEXT, "what the picture is called in the answer"),
        _parameter("model", _TEXT, "name of a model of /api/models"),
        _parameter("coverage", {**_NUMBER, "default": 0.9}, "share of the ranges that are to hold the truth"),
        _parameter("details", {**_WHOLE, "enum": [0, 1]}, "1 for density map, heat map and heads too"),
    ]
    picture = {"schema": {"type": "string", "format": "binary"}}
    page = {"description": "the page", "content": {"text/html": {"schema": _TEXT}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "crowdcount",
            "version": __version__,
            "description": "Counts the people in pictures of crowds, on this machine. Nothing is kept afterwards.",
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Record": _RECORD},
        },
        "security": [{}, {"token": []}],
        "paths": {
            "/api/count": {
                "post": {
                    "summary": "Count the people in a picture: its file is the body of the request",
                    "parameters": query,
                    "requestBody": {
                        "required": True,
                        "content": {"image/*": picture, "application/octet-stream": picture},
                    },
                    "responses": {
                        "200": _answer("the record", {"$ref": "#/components/schemas/Record"}),
                        **refusals,
                        "422": _answer("no count; `error` says why", {"$ref": "#/components/schemas/Record"}),
                    },
                }
            },
            "/api/zones": _post(
                "Count by zone in a density map that was answered before",
                _ZONES,
                _answer("people by zone", text),
                refusals,
            ),
            "/api/report": _post("A report of records, as one page", _REPORT, page, refusals),
            "/api/models": _get("The models", {"200": _answer("their cards", text), **strangers}),
            "/healthz": _get(
                "Whether the server is up; no token is wanted",
                {"200": _answer("it is", text), **{code: strangers[code] for code in ("403", "500")}},
            ),
        },
    }


def _get(summary: str, responses: dict) -> dict:
    return {"get": {"summary": summary, "responses": responses}}


def _post(summary: str, body: dict, good: dict, refusals: dict) -> dict:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"200": good, **refusals},
        }
    }


def _parameter(name: str, schema: dict, text: str) -> dict:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def _answer(text: str, schema: dict | None = None) -> dict:
    refusal = {"type": "object", "properties": {"error": _TEXT, "code": _TEXT}}
    return {"description": text, "content": {"application/json": {"schema": schema or refusal}}}
